"""Sign-in by the hub's OAuth without any memory of ours, so that it goes on when the service restarts or has several replicas."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from jupyterhub.services.auth import HubOAuth
from traitlets import Unicode

STATE_SECONDS = 600


def derived(secret: str, purpose: str) -> bytes:
    """32 bytes for one purpose from the service's one secret."""
    return hashlib.sha256(f"{purpose}\0{secret}".encode()).digest()


class Auth(HubOAuth):  # type: ignore[misc]
    """JupyterHub keeps where a sign-in began in a dictionary; here the state that goes around is that, encrypted."""

    secret = Unicode()

    @property
    def _box(self) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(derived(self.secret, "oauth-state")))

    def generate_state(self, next_url: str | None = None, **extra_state: Any) -> str:
        return self._box.encrypt(json.dumps({"next_url": next_url, **extra_state}).encode()).decode()

    def _decode_state(self, state_id: str, /) -> dict[str, Any]:
        try:
            return dict(json.loads(self._box.decrypt(state_id.encode(), ttl=STATE_SECONDS)))
        except (InvalidToken, ValueError):
            return {}

    def clear_oauth_state(self, state_id: str) -> None:
        """Nothing is kept; the cookie that goes with a state is cleared by the callback."""
