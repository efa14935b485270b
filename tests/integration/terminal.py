"""A terminal of JupyterLab as a browser has one: a person's workspace, a websocket, keys in and text out."""

from __future__ import annotations

import json
import uuid
from typing import Any
from urllib.parse import quote

import aiohttp
import httpx

SECONDS = 90


def start(person: Any, until: Any, name: str, **recipe: Any) -> str:
    """A running workspace of the person. The path of its server."""
    person.make(kind="workspace", name=name, **recipe)
    started = person.api("POST", f"/workspaces/{person.name}/{name}/start")
    assert started.status_code < 400, started.text
    server, token = f"/user/{person.name}/{name}", {"Authorization": f"token {person.token()}"}
    with httpx.Client(base_url=person.hub.url) as client:
        until(lambda: client.get(f"{server}/api/status", headers=token).status_code == 200)
    return server


async def typed(person: Any, server: str, token: str, script: str) -> str:
    """What a bash script prints when it is typed at a terminal of the workspace."""
    headers, mark = {"Authorization": f"token {token}"}, uuid.uuid4().hex
    file = f"script-{mark[:8]}.sh"
    async with aiohttp.ClientSession(person.hub.url, headers=headers, timeout=aiohttp.ClientTimeout(SECONDS)) as session:
        body = {"type": "file", "format": "text", "content": script}
        async with session.put(f"{server}/api/contents/{file}", json=body) as put:
            assert put.status < 300, await put.text()
        async with session.post(f"{server}/api/terminals", json={}) as made:
            name = (await made.json())["name"]
        async with session.ws_connect(f"{server}/terminals/websocket/{quote(name)}") as socket:
            await socket.send_str(json.dumps(["stdin", f"cd $HOME; bash {file} >{file}.out 2>&1; echo {mark[:16]}''{mark[16:]}\r"]))
            shown = ""
            while mark not in shown:
                kind, *text = json.loads(await socket.receive_str(timeout=SECONDS))
                shown += text[0] if kind == "stdout" else ""
        async with session.get(f"{server}/api/contents/{file}.out", params={"content": "1", "type": "file", "format": "text"}) as got:
            return (await got.json())["content"]
