"""Starts workspaces as units of the local backend. A unit outlives the hub, and is found again by its name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyterhub.spawner import Spawner
from tornado import web

from saturn_hub.backends.base import Phase, Status
from saturn_hub.backends.local import LocalBackend
from saturn_hub.backends.local.owners import one_trust_domain
from saturn_hub.errors import BackendError
from saturn_hub.hub import client
from saturn_hub.hub.adopted import Adopted
from saturn_hub.hub.mixin import SaturnMixin
from saturn_hub.model.workload import Workload

POLL_SECONDS = 0.2
JUPYTER = Path(__file__).parents[1] / "jupyter"
# `exec`, so that the server itself is what the launcher waits for and what is asked to end.
COMMAND = "exec jupyterhub-singleuser --ip=127.0.0.1 --port=$PORT"


class Refused(web.HTTPError):
    """Why a server did not start. JupyterHub shows `jupyterhub_message` on the page that waits."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message.replace("%", "%%"))
        self.jupyterhub_message = message


def local_backend() -> LocalBackend:
    """The backend over this machine's folders; it keeps nothing in memory, so each spawner may have its own."""
    return LocalBackend(client.home(), client.images())


def code_server(images: Path) -> str:
    """The command line of code-server, empty where it is not installed."""
    entry = images / "code-server" / "node_modules" / "code-server" / "out" / "node" / "entry.js"
    return f"{client.node()} {entry}" if entry.exists() else ""


class SaturnLocalSpawner(SaturnMixin, Spawner):  # type: ignore[misc]
    """One workspace as one unit."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.backend = local_backend()
        self._told_end = False
        self.adopted: Adopted | None = None
        if not self.options_form:
            self.options_form = self._form
        self.options_from_form = self._from_form
        # A plain link must not choose what runs: it would start a server without a person's word.
        self.options_from_query = lambda _query: {}
        # The service reads the options, not the spawner's own settings.
        self.apply_user_options = lambda _spawner, _options: None
        # The hub's own PATH and virtual environment are not the workspace's.
        self.env_keep = []

    def load_state(self, state: dict[str, Any]) -> None:
        """What was kept of the server. A pid is of JupyterHub's own local spawner, from before this hub had Saturn Hub."""
        super().load_state(state)
        if pid := state.get("pid"):
            self.adopted = Adopted(int(pid), self.user.name, self.name)

    def get_state(self) -> dict[str, Any]:
        return {**super().get_state(), **({"pid": self.adopted.pid} if self.adopted else {})}

    def clear_state(self) -> None:
        super().clear_state()
        self.adopted = None

    async def start(self) -> tuple[str, int]:
        """Ask what to run, run it, and wait until its preparation is over. Gives where it listens."""
        workload, _tool, self.default_url = await self._session()
        self._told_end = False
        await self.backend.stop(self.unit)
        await self.backend.forget(self.unit)
        try:
            await self.backend.start(self.unit, self._as_server(workload))
            address = await self._prepared()
        except BackendError as error:
            await self._tell("failed", error.message)
            raise Refused(409, ": ".join(each for each in (error.path, error.message) if each)) from error
        except Refused as error:
            self._told_end = True
            await self._tell("failed", error.jupyterhub_message)
            raise
        await self._tell("running")
        return address

    def _as_server(self, workload: Workload) -> Workload:
        """The workload with JupyterHub's variables and the command of a single-user server."""
        folder = str(client.home() / "homes" / workload.folder)
        variables = {**workload.environment_variables, **{key: str(value) for key, value in self.get_env().items()}}
        variables |= {"JUPYTERHUB_ROOT_DIR": folder, "JUPYTER_CONFIG_PATH": str(JUPYTER), "JUPYTER_PREFER_ENV_PATH": "0"}
        if command := code_server(client.images()):
            variables["SATURN_CODE_SERVER"] = command
        # Without root there is one uid for all, ours; with it each person has their own and no server runs as root.
        as_root = " --allow-root" if os.geteuid() == 0 and one_trust_domain(client.home()) else ""
        return replace(workload, command=("sh", "-c", COMMAND + as_root), environment_variables=variables, listens=True)

    async def _prepared(self) -> tuple[str, int]:
        while True:
            status = await self._status()
            if status.phase is Phase.RUNNING and (address := await self.backend.address(self.unit)):
                return address
            if status.phase in (Phase.ENDED, Phase.GONE):
                message = status.message or f"The server ended with exit code {status.exit_code}; its log tells why."
                raise Refused(409, f"{status.path}: {message}" if status.path else message)
            await asyncio.sleep(POLL_SECONDS)

    async def _status(self) -> Status:
        return (await self.backend.statuses([self.unit]))[self.unit]

    async def poll(self) -> int | None:
        """None while it runs, else its exit code. Asks the machine alone, so it works with the service down."""
        if self.adopted:
            return None if self.adopted.alive else 0
        status = await self._status()
        if status.phase in (Phase.STARTING, Phase.RUNNING):
            return None
        if status.phase is Phase.ENDED and not self._told_end:
            self._told_end = True
            await self._tell("failed" if status.code or status.exit_code else "stopped", status.message)
        return status.exit_code or 0

    async def get_url(self) -> str:
        """Where it listens, as the machine knows it: a hub that was killed while it started the server never heard.

        It may have to come up first, for it waits for the hub as the hub waits for it.
        """
        until = asyncio.get_running_loop().time() + self.http_timeout
        while not self.adopted and await self.poll() is None and asyncio.get_running_loop().time() < until:
            if address := await self.backend.address(self.unit):
                return f"http://{address[0]}:{address[1]}{self.server.base_url}"
            await asyncio.sleep(POLL_SECONDS)
        return str(await super().get_url())

    async def stop(self, now: bool = False) -> None:
        """End it. The ended unit is kept until the next start, for the service reads what became of it."""
        if self.adopted:
            await self.adopted.stop()
            return
        self._told_end = True
        await self._tell("stopping")
        await self.backend.stop(self.unit, grace_seconds=1 if now else 10)
        await self._tell("stopped")

    async def delete_forever(self) -> None:
        """Drop the unit of a server that was removed. Its folder stays until the workspace itself is deleted."""
        await self.backend.forget(self.unit)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The newest sentence of the preparation, each once. The hub closes this when the server answers."""
        told, part = "", 5
        while True:
            sentence = (await self._status()).progress
            if sentence and sentence != told:
                told, part = sentence, min(part + 15, 90)
                yield {"progress": part, "message": sentence}
            await asyncio.sleep(POLL_SECONDS)
