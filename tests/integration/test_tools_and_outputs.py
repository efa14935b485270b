"""What stands beside the notebook, and jobs of each kind as a person makes them, on a running hub."""

from __future__ import annotations

import json
import os
import shutil
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from saturn_hub.web import examples

IMAGES = Path(os.environ.get("SATURN_IMAGES", Path(__file__).parents[2] / ".images")).resolve()
MIB = 2**20
STAND_IN = """#!/usr/bin/env python3
import socketserver, sys
from http.server import BaseHTTPRequestHandler

if "--help" in sys.argv:
    sys.exit(print("--www-root-path --www-socket --server-data-dir --database-config-file"))

class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"a stand-in for RStudio")
    def address_string(self):
        return "here"

path = next(each.partition("=")[2] for each in sys.argv if each.startswith("--www-socket="))
socketserver.ThreadingUnixStreamServer(path, Page).serve_forever()
"""


def workspace(session: Any, name: str, until: Any, **recipe: Any) -> Path:
    """A running workspace. Gives its folder."""
    if session.api("GET", f"/recipes/workspace/ada/{name}").status_code == 404:
        session.make(kind="workspace", name=name, tool="jupyterlab", **recipe)
    started = session.api("POST", f"/workspaces/ada/{name}/start")
    assert started.status_code < 300, started.text
    until(lambda: session.api("GET", f"/recipes/workspace/ada/{name}").json()["state"] == "running")
    return Path(next(home for home in (session.hub.home / "homes" / "workspaces").iterdir() if _unit_of(session, name) == home.name))


def _unit_of(session: Any, name: str) -> str:
    """The workspace's folder, as its server was told."""
    order = json.loads((session.hub.home / "work" / f"workspace-ada-{name}" / "workload.json").read_text())
    return str(order["workload"]["folder"].rpartition("/")[2])


def stop(session: Any, name: str, until: Any) -> None:
    session.api("POST", f"/workspaces/ada/{name}/stop")
    until(lambda: session.api("GET", f"/recipes/workspace/ada/{name}").json()["state"] == "stopped")


def tiles(session: Any, name: str, until: Any) -> dict[str, bool]:
    """Which tools the launcher of a workspace shows, once the hub has seen that its server answers."""

    def answered() -> Any:
        answer = session.client.get(f"/user/ada/{name}/server-proxy/servers-info")
        return answer.json() if "json" in answer.headers.get("Content-Type", "") and answer.status_code == 200 else None

    return {each["name"]: each["launcher_entry"]["enabled"] for each in until(answered)["server_processes"]}


def test_rstudio_has_its_tile_where_its_program_is_and_not_elsewhere(ada, until):
    if shutil.which("rserver"):
        pytest.skip("rserver is installed: its own test covers it")
    folder = workspace(ada, "studio", until)
    assert tiles(ada, "studio", until).get("rstudio") is False
    program = folder / ".saturn" / "python" / "bin" / "rserver"
    program.write_text(STAND_IN)
    program.chmod(0o755)
    os.chown(program, folder.stat().st_uid, folder.stat().st_gid)
    stop(ada, "studio", until)
    workspace(ada, "studio", until)
    assert tiles(ada, "studio", until)["rstudio"] is True
    assert ada.client.get("/user/ada/studio/rstudio/").text == "a stand-in for RStudio"
    stop(ada, "studio", until)


def test_the_real_rstudio_opens(ada, until):
    if not shutil.which("rserver"):
        pytest.skip("rserver is not installed")
    workspace(ada, "studio", until)
    assert "RStudio" in ada.client.get("/user/ada/studio/rstudio/").text
    stop(ada, "studio", until)


def test_vs_code_of_two_workspaces_keeps_its_state_apart_and_out_of_repositories(hub, ada, until):
    if not (IMAGES / "code-server" / ".installed.txt").exists():
        pytest.skip("code-server is not installed")
    checkout = {"url": examples.repository(hub.home, "churn"), "reference": "main", "path": "churn"}
    folders = [workspace(ada, name, until, repositories=[checkout]) for name in ("left", "right")]
    before = [tree(folder / "churn") for folder in folders]
    for name, folder in zip(("left", "right"), folders, strict=True):
        assert tiles(ada, name, until)["vscode"] is True
        page = until(lambda name=name: (found := ada.client.get(f"/user/ada/{name}/vscode/")).status_code == 200 and found)
        assert "code-server" in page.text and str(folder) in page.text
        assert (folder / ".saturn" / "vscode" / "extensions").is_dir()
        assert stat.S_IMODE((folder / ".saturn").stat().st_mode) & 0o077 == 0
    assert [tree(folder / "churn") for folder in folders] == before
    for name in ("left", "right"):
        stop(ada, name, until)


def tree(folder: Path) -> set[str]:
    return {str(each.relative_to(folder)) for each in folder.rglob("*") if ".git" not in each.parts}


def test_outputs_come_back_byte_for_byte_whatever_their_names_and_links_lead_nowhere(hub, ada):
    made = """
import os, pathlib
out = pathlib.Path("outputs")
names = ["a b.txt", "Zürich.csv", 'say "hi".txt', "it's.bin", "two\\nlines.txt", "100%.txt", "a;b&c?d#e.txt", "sub/deep/x.bin"]
for n, name in enumerate(names):
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_bytes(bytes(range(256)) * 4 + name.encode())
os.symlink("/etc/passwd", out / "link.txt")
os.symlink("/etc", out / "folder")
os.mkfifo(out / "pipe")
"""
    ada.make(kind="job", name="names", command=f"cat > make.py <<'PROGRAM'{made}PROGRAM\npython make.py && rm make.py")
    run = ada.run("names")
    assert run["state"] == "succeeded", run
    names = ["a b.txt", "Zürich.csv", 'say "hi".txt', "it's.bin", "two\nlines.txt", "100%.txt", "a;b&c?d#e.txt", "sub/deep/x.bin"]
    listed = {each["path"]: each["size"] for each in ada.api("GET", f"/runs/{run['id']}/files").json()["items"]}
    assert set(listed) == {f"outputs/{name}" for name in names}
    for name in names:
        answer = ada.api("GET", f"/runs/{run['id']}/files/{quote('outputs/' + name)}")
        assert answer.status_code == 200, name
        assert answer.content == bytes(range(256)) * 4 + name.encode()
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "sandbox" in answer.headers["content-security-policy"]
    for path in (
        "outputs/link.txt",
        "outputs/folder/passwd",
        "outputs/pipe",
        "outputs",
        "outputs/missing",
        "%2e%2e/home/x",
        "outputs/%2e%2e/%2e%2e/x",
        "%2fetc%2fpasswd",
    ):
        assert ada.api("GET", f"/runs/{run['id']}/files/{path}").status_code == 404, path


def test_a_file_of_200_megabytes_is_streamed(ada):
    ada.make(kind="job", name="large", command="head -c 209715200 /dev/zero > outputs/zeros.bin")
    run = ada.run("large")
    total = 0
    with ada.client.stream("GET", f"/services/saturn/api/v1/runs/{run['id']}/files/outputs/zeros.bin", headers=ada.headers) as answer:
        for chunk in answer.iter_bytes(MIB):
            assert not chunk.strip(b"\0")
            total += len(chunk)
    assert total == 200 * MIB


def test_the_outputs_of_a_run_with_50000_files_are_listed_at_once(ada):
    many = "from pathlib import Path; p = Path('many'); p.mkdir(); [(p / f'{n}.txt').touch() for n in range(50_000)]; (Path('outputs') / 'kept.txt').touch()"
    ada.make(kind="job", name="many", command=f'python -c "{many}"')
    run = ada.run("many")
    begun = datetime.now(UTC)
    listed = ada.api("GET", f"/runs/{run['id']}/files").json()["items"]
    assert (datetime.now(UTC) - begun).total_seconds() < 5
    assert listed[0]["path"] == "outputs/kept.txt"
    assert len(listed) == 1000


def test_a_schedule_runs_by_itself_every_minute_with_nobody_there(ada, until):
    ada.make(kind="job", name="minutely", command="date", schedules=[{"cron": "* * * * *", "timezone": "Europe/Paris"}])
    due = ada.api("GET", "/recipes/job/ada/minutely").json()["next_run_at"]
    run = until(lambda: [each for each in ada.api("GET", "/jobs/ada/minutely/runs").json()["items"] if each["state"] == "succeeded"], seconds=90)[-1]
    assert (run["trigger"], run["scheduled_for"]) == ("schedule", due)
    assert (datetime.fromisoformat(run["started_at"]) - datetime.fromisoformat(due)).total_seconds() < 5
    ada.api("DELETE", "/recipes/job/ada/minutely")
