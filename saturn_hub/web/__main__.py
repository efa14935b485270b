"""Runs the service: a small parent that restarts the worker and the gateway at once, all of which die with the hub."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from saturn_hub.errors import ConfigurationError
from saturn_hub.processes.bound import bound
from saturn_hub.processes.logs import keep

# The exit code of a configuration that starting again does not mend (EX_CONFIG of sysexits.h).
WRONG_CONFIGURATION = 78


class Child:
    """The worker or the gateway, with its output in a log of its own."""

    def __init__(self, name: str, *words: str) -> None:
        self.name, self.words = name, words
        self.settings = json.loads(os.environ["SATURN_SETTINGS"])
        self.start()

    def start(self) -> None:
        # SIGKILL: we may have been killed ourselves, and nobody is left to insist.
        command = bound(sys.executable, "-m", *self.words, number=signal.SIGKILL)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, errors="replace", **pipes)
        self.started = time.monotonic()
        assert self.process.stdout
        file = Path(self.settings["home"]) / "logs" / f"{self.name}.log"
        keep(self.process.stdout, file, size_bytes=self.settings["log_bytes"], files=self.settings["log_files"], seen=self._seen)

    def _seen(self, line: str) -> None:
        self.last = line

    def look(self) -> None:
        """Start it again where it ended. Raises ConfigurationError where that is no use."""
        code = self.process.poll()
        if code == WRONG_CONFIGURATION:
            raise ConfigurationError(getattr(self, "last", "The configuration is wrong."))
        if code is not None:
            # One that ends as soon as it starts is not started more than once a second.
            time.sleep(max(0.0, 1 - (time.monotonic() - self.started)))
            self.start()


def parent() -> None:
    """Keep worker and gateway running until we are told to end."""
    # A signal only leaves its mark: it comes in the middle of anything, also twice.
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: asked.append(got))
    children = [Child("service", "saturn_hub.web", "worker"), Child("gateway", "saturn_hub.gateway")]
    try:
        while not asked:
            time.sleep(0.2)
            for child in children:
                child.look()
    finally:
        for child in children:
            child.process.terminate()
        for child in children:
            child.process.wait()


async def worker() -> None:
    from tornado.httpserver import HTTPServer

    from saturn_hub.web import examples, loops, mirror
    from saturn_hub.web.app import Settings, make_app, make_context
    from saturn_hub.web.forgotten import Forgotten

    settings = Settings.from_environment()
    lease = loops.take_lease(settings.home)
    context = await make_context(settings)
    await asyncio.to_thread(context.database.migrate)
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    app = make_app(settings, context)
    server = HTTPServer(app, xheaders=True)
    server.listen(url.port or 80, url.hostname or "127.0.0.1")
    work = (
        examples.make(context, settings.images),
        mirror.run(context, app.settings, settings.people_seconds),
        Forgotten(context, app.settings["servers"]).run(),
    )
    beside = [asyncio.create_task(each) for each in work]
    try:
        await loops.run(context)
    finally:
        for each in beside:
            each.cancel()
        lease.close()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        if sys.argv[1:] == ["worker"]:
            asyncio.run(worker())
        else:
            parent()
    except ConfigurationError as error:
        print(error.message, file=sys.stderr, flush=True)
        sys.exit(WRONG_CONFIGURATION)
