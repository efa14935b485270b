"""The gateway with authentication on against jupyter-standaloneproxy with it off, on a 1 KB page of the same app, in the same run.

`python bench/gateway.py [SECONDS]`. Needs `wrk` and jupyter-server-proxy. One line a figure: name, value, unit.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from aiohttp import web

CONNECTIONS, GOAL = 32, 2.0
PAGE = b"<!DOCTYPE html>".ljust(1024, b"x")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE
START_PEER = "from jupyter_server_proxy.standalone import main; main()"
PEER = ["--no-authentication", "--address=127.0.0.1"]
COOKIE = "Cookie: saturn-app=cookie-of-ada"


class Page(asyncio.Protocol):
    """The app: as little as answers HTTP, so that what is measured is what stands before it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.rest = transport, b""

    def data_received(self, data: bytes) -> None:
        *whole, self.rest = (self.rest + data).split(b"\r\n\r\n")
        self.transport.write(ANSWER * len(whole))  # type: ignore[attr-defined]


async def serve_page(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Page, "127.0.0.1", port)
    await server.serve_forever()


async def serve_decisions(port: int, page: int) -> None:
    """The service's one question: ada's cookie passes for ten seconds at a time, as in the product; nobody else does."""

    async def decide(request: web.Request) -> web.Response:
        ada = (await request.json())["cookie"] == "cookie-of-ada"
        answer = {"allow": ada, "status": 200 if ada else 401, "address": ["127.0.0.1", page], "person": "ada", "cache_seconds": 10}
        return web.json_response(answer)

    app = web.Application()
    app.router.add_post("/internal/gateway/decide", decide)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@contextmanager
def running(words: list[str], variables: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(words, env={**os.environ, **(variables or {})}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def status(port: int, headers: dict[str, str]) -> int:
    """What is answered there, 0 while nobody listens."""
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}/", headers=headers), timeout=5) as answer:
            return int(answer.status) if answer.read() == PAGE else -1
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def load(port: int, seconds: int, *headers: str) -> dict[str, float]:
    """Requests a second, and latencies in milliseconds, of so many connections at once."""
    script = Path(tempfile.gettempdir()) / f"saturn-bench-{os.getpid()}.lua"
    percentiles = "p50 %f\\np95 %f\\n"
    values = ", ".join(f"latency:percentile({each}) / 1000" for each in (50, 95))
    script.write_text(f'done = function(_, latency, _) io.write(string.format("{percentiles}", {values})) end')
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), *(word for each in headers for word in ("-H", each))]
    said = subprocess.run([*words, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
    script.unlink()
    assert "Non-2xx" not in said, said
    figures = {name: float(re.search(rf"{name} ([\d.]+)", said)[1]) for name in ("p50", "p95")}  # type: ignore[index]
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), **figures}  # type: ignore[index]


def resident_mib(pid: int) -> float:
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024  # type: ignore[index]


def wait(port: int, headers: dict[str, str], wanted: int = 200) -> None:
    until = time.monotonic() + 30
    while status(port, headers) != wanted:
        if time.monotonic() > until:
            sys.exit(f"port {port} does not answer {wanted}, but {status(port, headers)}")
        time.sleep(0.1)


def main(seconds: int) -> None:
    """Measure both, each alone with the app and the load."""
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed: apt-get install wrk")
    page, service, gateway, peer = free_ports(4)
    host = f"churn.apps.localhost:{gateway}"
    with ExitStack() as stack:
        token = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "token"
        token.write_text("internal")
        given = {"internal_token_file": str(token), "hub_url": "http://localhost:8000", "service_url": f"http://127.0.0.1:{service}"}
        given |= {"apps_port": gateway, "apps_domain": "apps.localhost", "apps_address": "127.0.0.1"}  # type: ignore[dict-item]
        stack.enter_context(running([sys.executable, __file__, "page", str(page)]))
        stack.enter_context(running([sys.executable, __file__, "decisions", str(service), str(page)]))
        for name, words, port, sent in (
            ("gateway", ["-m", "saturn_hub.gateway"], gateway, [f"Host: {host}", COOKIE]),
            ("standaloneproxy", ["-c", START_PEER, *PEER, f"--port={peer}", f"--server-port={page}", "--", "sleep", "86400"], peer, []),
        ):
            with running([sys.executable, *words], {"SATURN_SETTINGS": json.dumps(given)}) as process:
                headers = dict(each.split(": ", 1) for each in sent)
                wait(port, headers)
                if name == "gateway":
                    wait(port, {"Host": host}, 401)
                load(port, 2, *sent)
                figures[name] = load(port, seconds, *sent)
                for figure, unit in (("rate", "requests/s"), ("p50", "ms"), ("p95", "ms")):
                    print(f"{name}.{figure} {figures[name][figure]:.1f} {unit}")
                print(f"{name}.memory {resident_mib(process.pid):.0f} MiB")
    ratio = figures["gateway"]["rate"] / figures["standaloneproxy"]["rate"]
    print(f"gateway.ratio {ratio:.2f} times standaloneproxy (goal at least {GOAL:g})")


figures: dict[str, dict[str, float]] = {}
if __name__ == "__main__":
    if sys.argv[1:2] == ["page"]:
        asyncio.run(serve_page(int(sys.argv[2])))
    elif sys.argv[1:2] == ["decisions"]:
        asyncio.run(serve_decisions(int(sys.argv[2]), int(sys.argv[3])))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
