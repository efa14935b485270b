"""Runs the gateway: `python -m saturn_hub.gateway`, with its settings from the environment."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from saturn_hub.gateway.decisions import Decisions
from saturn_hub.gateway.proxy import AppConnections, Gateway
from saturn_hub.gateway.server import HEAD_SECONDS, Server
from saturn_hub.gateway.signin import SignIn


@dataclass(frozen=True)
class Settings:
    """Where the gateway listens and whom it asks. `hub_url` is where browsers sign in, with the service's path."""

    port: int
    service_url: str
    token: str
    hub_url: str
    domain: str = "apps.localhost"
    address: str = "127.0.0.1"
    head_seconds: float = HEAD_SECONDS

    @classmethod
    def from_environment(cls) -> Settings:
        """Read what the hub settled, from SATURN_SETTINGS."""
        given = json.loads(os.environ["SATURN_SETTINGS"])
        token = Path(given["internal_token_file"]).read_text().strip()
        hub = given["hub_url"] + "/services/saturn"
        return cls(given["apps_port"], given["service_url"], token, hub, given["apps_domain"], given["apps_address"])


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[int]:
    """A gateway that listens. Gives the port, which is a free one where the settings say 0."""
    async with aiohttp.ClientSession(trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        decisions = Decisions(settings.service_url, settings.token, session)
        apps = AppConnections()
        gateway = Gateway(settings.domain, decisions, SignIn(decisions, settings.hub_url), apps)
        runner = web.ServerRunner(Server(gateway.handle, settings.head_seconds), shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, settings.address, settings.port, backlog=1024)
        await site.start()
        try:
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()
            await apps.close()


async def main() -> None:
    """Serve until told to end."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with serving(Settings.from_environment()):
        await ended.wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    asyncio.run(main())
