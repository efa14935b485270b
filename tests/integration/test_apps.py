"""Apps on a running hub: who may open them, how they are called, and what becomes of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import visitor
import websocket

MIB = 2**20
# What these tests deploy: says what it got, echoes messages, counts uploads, streams, and ends when told.
ECHO = """
import os
from aiohttp import web

async def echo(request):
    return web.json_response({"path": request.raw_path, "headers": [[k.lower(), v] for k, v in request.headers.items()]})

async def talk(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket

async def count(request):
    total = 0
    async for chunk in request.content.iter_any():
        total += len(chunk)
    return web.json_response({"bytes": total})

async def stream(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(int(request.query["mib"])):
        await response.write(b"x" * 2**20)
    return response

async def end(request):
    os._exit(3)

app = web.Application()
for path, handler in {"/talk": talk, "/count": count, "/stream": stream, "/end": end}.items():
    app.router.add_route("*", path, handler)
app.router.add_route("*", "/{rest:.*}", echo)
web.run_app(app, host="127.0.0.1", port=int(os.environ["PORT"]))
"""
START = f"cat > main.py <<'PROGRAM'{ECHO}PROGRAM\n"


@pytest.fixture
def echo(hub: Any, ada: Any, until: Any) -> str:
    """The host of ada's app `echo`, deployed once and private again at each test."""
    if ada.api("GET", "/recipes/app/ada/echo").status_code == 404:
        ada.make(kind="app", name="echo", start_script=START, command="exec python main.py")
        visitor.deploy(ada, "echo", until)
    share(ada, who="private")
    host = str(ada.api("GET", "/recipes/app/ada/echo").json()["host"])
    # An answer to somebody who is not signed in is remembered for ten seconds, also that of a test before.
    until(lambda: visitor.get(hub, host).status_code == 401)
    return host


def share(owner: Any, app: str = "echo", **access: Any) -> None:
    changed = owner.api("PUT", f"/apps/{owner.name}/{app}/access", json={"people": [], "teams": [], **access})
    assert changed.status_code == 200, changed.text


def token_of(owner: Any, app: str) -> dict[str, str]:
    made = owner.api("POST", f"/apps/{owner.name}/{app}/tokens", json={"name": "test"})
    assert made.status_code == 201, made.text
    return made.json()


def socket_of(hub: Any, host: str, cookies: dict[str, str], **headers: str) -> websocket.WebSocket:
    sent = [f"{key}: {value}" for key, value in headers.items()]
    cookie = "; ".join(f"{key}={value}" for key, value in cookies.items())
    address, name = f"ws://127.0.0.1:{hub.apps_port}/talk", visitor.name(hub, host)
    return websocket.create_connection(address, timeout=30, host=name, origin=f"http://{name}", cookie=cookie or None, header=sent)


def opens(hub: Any, session: Any, host: str) -> bool:
    """Whether a person, signed in anew, gets the app, on HTTP and on a websocket alike; else they are refused on both."""
    answer, cookies = visitor.sign_in(hub, session, host, "/page")
    assert answer.status_code in (200, 403), answer.text
    try:
        socket = socket_of(hub, host, cookies)
    except websocket.WebSocketBadStatusException as refused:
        assert refused.status_code in (401, 403)
        assert answer.status_code == 403
        return False
    socket.send("hello")
    assert socket.recv() == "hello"
    socket.close()
    assert answer.json()["path"] == "/page"
    return True


def test_an_app_is_private_until_it_is_shared_with_people_teams_everyone_or_the_public(hub, ada, ben, eve, echo, until):
    assert [opens(hub, each, echo) for each in (ada, ben, eve)] == [True, False, False]
    assert visitor.get(hub, echo).status_code == 401
    share(ada, who="people", people=["eve"])
    assert [opens(hub, each, echo) for each in (ada, ben, eve)] == [True, False, True]
    share(ada, who="people", teams=["growth"])
    assert [opens(hub, each, echo) for each in (ada, ben, eve)] == [True, True, False]
    share(ada, who="signed_in")
    assert [opens(hub, each, echo) for each in (ada, ben, eve)] == [True, True, True]
    assert visitor.get(hub, echo).status_code == 401
    share(ada, who="public")
    assert until(lambda: visitor.get(hub, echo).status_code == 200)
    assert not [value for name, value in visitor.get(hub, echo).json()["headers"] if name == "x-forwarded-user"]


def test_an_open_websocket_ends_when_access_is_taken_away(hub, ada, eve, echo):
    share(ada, who="people", people=["eve"])
    _, cookies = visitor.sign_in(hub, eve, echo)
    socket = socket_of(hub, echo, cookies)
    share(ada, who="private")
    opcode, data = socket.recv_data()
    assert (opcode, int.from_bytes(data[:2])) == (websocket.ABNF.OPCODE_CLOSE, 1008)
    socket.shutdown()
    assert visitor.get(hub, echo, Cookie="; ".join(f"{key}={value}" for key, value in cookies.items())).status_code == 403


def test_a_sign_in_is_good_once_for_one_host_in_one_browser(hub, ada, echo, until):
    ada.make(kind="app", name="neighbour", command="exec python -m http.server $PORT")
    neighbour = visitor.deploy(ada, "neighbour", until)

    def begin(host: str) -> tuple[str, str]:
        """The path to come back to, with its code, and the nonce of the browser that began."""
        sent = visitor.get(hub, host, **visitor.BROWSER)
        opened = ada.client.get(sent.headers["Location"].removeprefix(f"http://localhost:{urlsplit(hub.url).port}"), follow_redirects=False)
        back = urlsplit(opened.headers["Location"])
        assert back.netloc == visitor.name(hub, host)
        return f"{back.path}?{back.query}", sent.cookies["saturn-nonce"]

    path, nonce = begin(echo)
    assert visitor.get(hub, echo, path, Cookie="saturn-nonce=another", **visitor.BROWSER).status_code == 403
    assert visitor.get(hub, neighbour, path, Cookie=f"saturn-nonce={nonce}", **visitor.BROWSER).status_code == 403
    path, nonce = begin(echo)
    good = visitor.get(hub, echo, path, Cookie=f"saturn-nonce={nonce}", **visitor.BROWSER)
    assert good.status_code == 302 and len(parse_qs(urlsplit(path).query)["code"][0]) > 30
    assert visitor.get(hub, echo, path, Cookie=f"saturn-nonce={nonce}", **visitor.BROWSER).status_code == 403
    cookie = f"saturn-app={good.cookies['saturn-app']}"
    assert visitor.get(hub, echo, Cookie=cookie).status_code == 200
    assert visitor.get(hub, neighbour, Cookie=cookie).status_code == 401


def test_an_app_is_told_who_comes_by_the_gateway_alone(hub, ada, echo):
    _, cookies = visitor.sign_in(hub, ada, echo)
    forged = {"X-Forwarded-User": "admin", "x_forwarded_user": "admin", "Forwarded": "for=admin", "X-Real-IP": "9.9.9.9"}
    cookie = "; ".join(f"{key}={value}" for key, value in {**cookies, "theme": "dark"}.items())
    got = visitor.get(hub, echo, Cookie=cookie, **forged).json()["headers"]
    assert [value for name, value in got if name.replace("_", "-") == "x-forwarded-user"] == ["ada"]
    assert "admin" not in json.dumps(got) and "9.9.9.9" not in json.dumps(got)
    assert [value for name, value in got if name == "cookie"] == ["theme=dark"]


def programs(url: str, host: str, token: str) -> dict[str, list[str]]:
    """How scripts call an app: curl, Python's and R's standard libraries. Each prints the answer."""
    headers = "{'Host': sys.argv[2], 'Authorization': 'Bearer ' + sys.argv[3]}"
    python = f"import sys, urllib.request as u; print(u.urlopen(u.Request(sys.argv[1], headers={headers})).read().decode())"
    r = (
        'given <- commandArgs(TRUE); connection <- url(given[1], headers = c(Host = given[2], Authorization = paste("Bearer", given[3])), method = "libcurl"); '
        'cat(readLines(connection, warn = FALSE), sep = "\\n")'
    )
    return {
        "curl": ["curl", "-sSf", "-H", f"Authorization: Bearer {token}", url.replace("127.0.0.1", host.partition(":")[0])],
        "python": [sys.executable, "-c", python, url, host, token],
        "r": ["Rscript", "-e", r, url, host, token],
    }


def call(command: list[str]) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"})
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("program", ["curl", "python", "r"])
def test_a_token_opens_its_app_alone_to_a_script(hub, ada, echo, until, program):
    if not shutil.which({"python": sys.executable, "r": "Rscript"}.get(program, program)):
        pytest.skip(f"{program} is not installed")
    made, url = token_of(ada, "echo"), f"http://127.0.0.1:{hub.apps_port}/called"
    command = programs(url, visitor.name(hub, echo), made["token"])[program]
    code, said = call(command)
    assert code == 0, said
    assert json.loads(said)["path"] == "/called"
    assert made["token"] not in said
    other = ada.api("GET", "/recipes/app/ada/dashboard").json()["host"]
    code, said = call(programs(url, visitor.name(hub, other), made["token"])[program])
    assert code != 0 and "403" in said
    assert ada.api("DELETE", f"/apps/ada/echo/tokens/{made['id']}").status_code == 204
    assert until(lambda: "403" in call(command)[1])


def test_two_owners_have_apps_of_one_name_at_two_hosts(hub, ada, ben, echo, until):
    ben.make(kind="app", name="echo", start_script="echo bens > index.html", command="exec python -m http.server $PORT --bind 127.0.0.1")
    host = visitor.deploy(ben, "echo", until)
    assert host == f"{echo}-2"
    assert visitor.get(hub, host, Authorization=f"Bearer {token_of(ben, 'echo')['token']}").text == "bens\n"
    assert visitor.get(hub, host, Authorization=f"Bearer {token_of(ada, 'echo')['token']}").status_code == 403
    assert visitor.get(hub, echo, Authorization=f"Bearer {token_of(ada, 'echo')['token']}").json()["path"] == "/"


def says(word: str, before: str = "true") -> dict[str, str]:
    return {"command": f"{before}; echo {word} > index.html; exec python -m http.server $PORT"}


def test_the_old_version_serves_until_the_new_one_is_healthy_and_comes_back_on_roll_back(hub, ada, until):
    ada.make(kind="app", name="changes", **says("one"))
    host = visitor.deploy(ada, "changes", until)
    headers = {"Authorization": f"Bearer {token_of(ada, 'changes')['token']}"}

    def revise(**recipe: str) -> dict[str, Any]:
        saved = ada.api("PUT", "/recipes/app/ada/changes", json={"size": "small", "image": "local", **recipe})
        assert saved.status_code == 200, saved.text
        return ada.api("POST", "/apps/ada/changes/deploy", json={}).json()

    def answers() -> str:
        answer = visitor.get(hub, host, **headers)
        assert answer.status_code == 200, answer.text
        return answer.text.strip()

    assert answers() == "one"
    two = revise(**says("two", "sleep 2"))
    assert ada.api("GET", "/apps/ada/changes/versions").json()["items"][0]["state"] == "deploying"
    while (said := answers()) == "one":
        pass
    assert said == "two"
    broken = revise(command="echo it breaks; exit 7")
    failed = until(lambda: visitor.ended_or_serving(ada, "changes", broken["number"]))
    assert failed[0]["state"] == "failed" and "exit code 7" in failed[0]["reason"]
    assert (failed[1]["number"], failed[1]["state"]) == (two["number"], "serving")
    assert answers() == "two"
    assert ada.api("POST", "/apps/ada/changes/rollback", json={"to": 1}).status_code == 202
    assert until(lambda: answers() == "one")


def test_an_app_that_ends_by_itself_is_started_again(hub, ada, echo, until):
    headers = {"Authorization": f"Bearer {token_of(ada, 'echo')['token']}"}
    assert visitor.get(hub, echo, "/end", **headers).status_code == 502
    assert until(lambda: visitor.get(hub, echo, **headers).status_code == 200)


def test_an_app_that_listens_elsewhere_fails_and_is_told_where_to_listen(ada, until):
    ada.make(kind="app", name="elsewhere", command="exec python -m http.server 0", health={"timeout_seconds": 2})
    made = ada.api("POST", "/apps/ada/elsewhere/deploy", json={}).json()
    version = until(lambda: visitor.ended_or_serving(ada, "elsewhere", made["number"]))[0]
    assert version["state"] == "failed"
    assert "$PORT" in version["reason"]


def gateway_of(hub: Any) -> int:
    """The pid of the hub's gateway."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            except OSError:
                continue
            if b"saturn_hub.gateway" in words and str(hub.home).encode() in environment:
                return int(entry.name)
    raise AssertionError("the gateway does not run")


def resident_mib(pid: int) -> float:
    """The most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def test_300_megabytes_pass_both_ways_and_the_gateway_stays_small(hub, ada, echo):
    headers = {"Authorization": f"Bearer {token_of(ada, 'echo')['token']}", "Host": visitor.name(hub, echo)}
    url, pid = f"http://127.0.0.1:{hub.apps_port}", gateway_of(hub)
    assert httpx.get(url, headers=headers).status_code == 200
    before = resident_mib(pid)

    def body() -> Iterator[bytes]:
        for _ in range(300):
            yield b"y" * MIB

    assert httpx.post(f"{url}/count", headers=headers, content=body(), timeout=60).json() == {"bytes": 300 * MIB}
    request = urllib.request.Request(f"{url}/stream?mib=300", headers=headers)
    total, check = 0, resident_checker(pid)
    with urllib.request.urlopen(request, timeout=60) as answer:
        while chunk := answer.read(MIB):
            total += len(chunk)
            check()
    assert total == 300 * MIB
    assert resident_mib(pid) - before < 32


def resident_checker(pid: int) -> Callable[[], None]:
    """Fails as soon as the process has grown past any reason, so that a test of memory does not take the machine with it."""
    start = resident_mib(pid)

    def check() -> None:
        assert resident_mib(pid) - start < 150

    return check
