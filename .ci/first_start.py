"""`make hub` in this folder as far as a sign-in with a password that it printed, then SIGTERM; nothing may run after that. Standard library alone."""

from __future__ import annotations

import http.cookiejar
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

START_SECONDS = 1200
END_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ours() -> list[str]:
    """Command lines of everything that runs here but us: this machine has processes of its own alone."""
    found = []
    for each in Path("/proc").iterdir():
        if each.name.isdigit() and int(each.name) != os.getpid():
            try:
                words = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                state = (each / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if state not in "ZX" and (
                "saturn" in words or "configurable-http-proxy" in words or "npm" in words or "apt" in words.split(" ")[0] or "jupyter" in words
            ):
                found.append(words)
    return [each for each in found if "first_start.py" not in each and ".ci/bare" not in each]


def sign_in(url: str, name: str, password: str) -> str:
    """Fill in the form as a browser does. Gives the page that follows."""
    jar = http.cookiejar.CookieJar()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))
    opener.open(f"{url}/hub/login", timeout=30).read()
    xsrf = next(each.value for each in jar if each.name == "_xsrf")
    form = urllib.parse.urlencode({"username": name, "password": password, "_xsrf": xsrf}).encode()
    return opener.open(f"{url}/hub/login", form, timeout=60).read().decode()


def start() -> tuple[subprocess.Popen[str], str, list[str]]:
    """`make hub`, until it says its address. Gives the address too, and what it says from then on."""
    hub_port = free_port()
    environment = {**os.environ, "HUB_PORT": str(hub_port), "APPS_PORT": str(free_port())}
    process = subprocess.Popen(["make", "hub"], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    timer = threading.Timer(START_SECONDS, process.terminate)
    timer.daemon = True
    timer.start()
    said: list[str] = []
    for line in process.stdout:
        print("   ", line, end="", flush=True)
        said.append(line)
        if line.startswith("Logs:"):
            timer.cancel()
            threading.Thread(target=lambda: said.extend(process.stdout), daemon=True).start()
            return process, f"http://127.0.0.1:{hub_port}", said
    for log in sorted(Path(".saturn/logs").glob("*.log")):
        print(f"    {log}:\n{log.read_text()[-3000:]}")
    sys.exit("make hub ended before it said its address")


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(END_SECONDS)
    until = time.monotonic() + END_SECONDS
    while (left := [each for each in ours() if "launch.py" not in each]) and time.monotonic() < until:
        time.sleep(0.5)
    if left:
        sys.exit("these go on running after SIGTERM:\n" + "\n".join(left))


def main() -> None:
    for attempt in ("first", "second"):
        began = time.monotonic()
        process, url, said = start()
        seconds = time.monotonic() - began
        page = sign_in(url, "ada", Path(".saturn/passwords/ada").read_text().strip())
        if "ada" not in page or "Log out" not in page:
            sys.exit(f"this is not the page of somebody signed in:\n{page[:2000]}")
        if os.geteuid() != 0 and not any("one trust domain" in line for line in said):
            sys.exit("not root, and make hub did not say that all work is one trust domain")
        end(process)
        print(f"    the {attempt} make hub was up in {seconds:.1f} s", flush=True)
    if seconds > 10:
        sys.exit("a second make hub has to be up in under 10 s")
    subprocess.run(["make", "stop"], check=True, stdin=subprocess.DEVNULL)
    if left := ours():
        sys.exit("these go on running after make stop:\n" + "\n".join(left))


if __name__ == "__main__":
    main()
