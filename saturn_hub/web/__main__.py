"""Runs the service: a small parent that restarts the worker and the gateway at once, all of which die with the hub."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from types import FrameType
from urllib.parse import urlsplit

from saturn_hub.errors import ConfigurationError

PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def parent() -> None:
    """Keep worker and gateway running until we are told to end."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    commands = [[sys.executable, "-m", "saturn_hub.web", "worker"], [sys.executable, "-m", "saturn_hub.gateway"]]
    children = [subprocess.Popen(each, preexec_fn=die_with_parent) for each in commands]

    def end(_number: int, _frame: FrameType | None) -> None:
        for child in children:
            child.terminate()
        for child in children:
            child.wait()
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    started = [time.monotonic()] * len(commands)
    while True:
        time.sleep(0.2)
        for index, child in enumerate(children):
            if child.poll() is not None:
                # One that ends as soon as it starts is not started more than once a second.
                time.sleep(max(0.0, 1 - (time.monotonic() - started[index])))
                children[index], started[index] = subprocess.Popen(commands[index], preexec_fn=die_with_parent), time.monotonic()


async def worker() -> None:
    from tornado.httpserver import HTTPServer

    from saturn_hub.web import examples, loops
    from saturn_hub.web.app import Settings, make_app, make_context

    settings = Settings.from_environment()
    lease = loops.take_lease(settings.home)
    context = await make_context(settings)
    await asyncio.to_thread(context.database.migrate)
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    server = HTTPServer(make_app(settings, context), xheaders=True)
    server.listen(url.port or 80, url.hostname or "127.0.0.1")
    making = asyncio.create_task(examples.make(context, settings.images))
    try:
        await loops.run(context)
    finally:
        making.cancel()
        lease.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    if sys.argv[1:] == ["worker"]:
        try:
            asyncio.run(worker())
        except ConfigurationError as error:
            sys.exit(error.message)
    else:
        parent()
