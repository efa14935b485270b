"""People are kept apart: what a unit of one person tries on another's, on the machine and on us."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
from units import IMAGES, eventually, listening, run, until, work

from saturn_hub.backends.base import Phase
from saturn_hub.backends.local.owners import uid_of
from saturn_hub.model.workload import Kind, Owner

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give each person a uid of their own")


async def tries(backend, *attempts: str, owner: str = "eve") -> dict[str, str]:
    """What became of each attempt of `owner`: reached or refused."""
    script = "\n".join(f"if ( {each} ) >/dev/null 2>&1; then echo reached; else echo refused; fi" for each in attempts)
    _, log = await run(backend, f"tries-{owner}", script, owner=owner, folder=f"runs/tries-{owner}")
    return dict(zip(attempts, log.split(), strict=True))


@pytest.fixture
async def ada(backend) -> dict[str, str | int]:
    """An app of ada's that runs, with a file and a secret variable: where it is."""
    command = "echo mine > $HOME/file; echo mine > /tmp/file; echo mine > /dev/shm/file; exec python -m http.server $PORT --bind 127.0.0.1"
    more = {"folder": "versions/1", "kind": Kind.APP, "listens": True, "environment_variables": {"SECRET": "mine"}}
    await backend.start("ada", work(command, **more))
    _, port = await listening(backend, "ada")
    launcher = json.loads((backend.work / "ada/process.json").read_text())["pid"]
    child = int(subprocess.run(["pgrep", "-P", str(launcher), "-f", "http.server"], capture_output=True, text=True, check=True).stdout.split()[0])
    for name in ("service", "hub", "passwords"):
        (backend.home / name).mkdir(mode=0o700)
        (backend.home / name / "file").write_text("ours")
    return {"port": port, "launcher": launcher, "child": child}


async def test_another_persons_files_variables_log_port_and_processes_are_out_of_reach(backend, ada):
    await backend.environment("ada")
    home, probe = backend.home, f"python -c \"import socket; socket.create_connection(('127.0.0.1', {ada['port']}), 5)\""
    attempts = [f"ls {home}/homes/versions/1", f"cat {home}/homes/versions/1/home/file", f"cat {home}/work/ada/log", f"cat {home}/work/ada/workload.json"]
    attempts += [
        f"cat {home}/work/ada/environment.json",
        f"cat {home}/work/ada/process.json",
        f"ls {home}/work/ada/tmp",
        f"cat {home}/work/ada/tmp/file",
        "cat /tmp/file",
        "cat /dev/shm/file",
    ]
    attempts += [f"{what} /proc/{ada[who]}/{file}" for who in ("launcher", "child") for what, file in (("cat", "environ"), ("cat", "cmdline"), ("ls", "fd"))]
    attempts += [f"ls /proc/{ada['child']}/root/", f"kill -0 {ada['launcher']}", f"kill -0 {ada['child']}", probe]
    # ptrace(2) with PTRACE_ATTACH of another's process
    attempts += [f'python -c "import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16, {ada["child"]}, 0, 0) != 0)"']
    assert set((await tries(backend, *attempts)).items()) == {(each, "refused") for each in attempts}
    assert (await tries(backend, probe, f"kill -0 {ada['child']}", owner="ada")) == {probe: "reached", f"kill -0 {ada['child']}": "reached"}


async def test_what_is_ours_is_out_of_reach(backend, ada):
    home = backend.home
    attempts = [f"cat {home}/{folder}/file" for folder in ("service", "hub", "passwords")] + [f"ls {home}", f"ls {home}/live", f"touch {home}/x"]
    attempts += [
        f"ls {home}/work",
        f"ls {home}/environments",
        f"cat {home}/uids.json",
        "cat /etc/shadow",
        "cat /proc/1/environ",
        f"touch {home}/work/tries-eve/x",
    ]
    attempts += [f"mv {home}/work/tries-eve/agent {home}/work/tries-eve/b", f"rm {home}/work/tries-eve/log", f"touch {IMAGES}/local/x", f"touch {IMAGES}/x"]
    assert set((await tries(backend, *attempts)).items()) == {(each, "refused") for each in attempts}


async def test_nothing_makes_more_of_a_person_than_they_are(backend, ada):
    attempts = ["su root -c id", "chroot / id", "mount -t tmpfs none /mnt", "unshare --mount true", "mknod /tmp/sda b 8 0", "nsenter -t 1 -m true"]
    attempts += ["echo $$ > /sys/fs/cgroup/memory/cgroup.procs", "echo $$ > /sys/fs/cgroup/cgroup.procs", "mkdir /sys/fs/cgroup/memory/saturn/x"]
    attempts += ["ulimit -Hc unlimited", "cp /bin/bash /tmp/b && chmod u+s /tmp/b && test $(/tmp/b -pc 'id -u') = 0", "nft list ruleset", "dmesg --clear"]
    assert set((await tries(backend, *attempts)).items()) == {(each, "refused") for each in attempts}
    _, log = await run(backend, "says", "grep NoNewPrivs /proc/self/status; ulimit -c; id -G", owner="eve")
    assert log.split() == ["NoNewPrivs:", "1", "0", str(uid_of(backend.home, Owner.parse("eve")))]


async def test_a_team_is_somebody_of_its_own(backend, ada):
    _, log = await run(backend, "team", "id -u; id -un", owner="team:growth", folder="runs/team")
    assert log.split() == [str(uid_of(backend.home, Owner.parse("team:growth"))), "growth"]
    assert (backend.home / "homes/runs/team").stat().st_uid == uid_of(backend.home, Owner.parse("team:growth"))


async def test_links_and_pipes_in_a_persons_folder_lead_root_nowhere(backend):
    """What root reads and writes of a unit lies in a folder of root's: names that ada makes in hers are never followed."""
    (backend.home / "secret").write_text('[{"path": "secret"}]')
    (backend.home / "secret").chmod(0o600)
    plant = "mkdir $A/jupyter; for name in environment.json repositories.json refused.json jupyter/kernels; do ln -sf $S $A/$name; done"
    script = (
        f"A={backend.work}/a/agent; S={backend.home}/secret; {plant}; mkfifo $A/status.json; ln -s $S $SATURN_OUTPUTS/link; ln $S $SATURN_OUTPUTS/hard; exit 3"
    )
    status, _ = await run(backend, "a", script)
    assert (status.exit_code, status.repositories, status.message) == (3, (), "")
    record = await backend.environment("a", fresh=True)
    assert record["os"]["packages"]
    assert (backend.home / "secret").read_text() == '[{"path": "secret"}]'
    assert not (backend.home / "homes/runs/1/files/outputs/hard").exists()
    assert (await backend.statuses(["a"]))["a"].phase is Phase.ENDED


async def test_a_record_runs_as_the_person_and_not_outside_their_world(backend):
    """`python` on a person's path may be anything: it is run with no more than they have."""
    said = backend.home / "homes/runs/1/files/said"
    program = f'#!/bin/sh\nid -u >> {said}; ls /proc | grep -c ^1$ >> {said}; exec /usr/bin/python3 "$@"\n'
    fake = f"echo '{program}' > $HOME/python; chmod +x $HOME/python"
    variables = {"PATH": f"{backend.home}/homes/runs/1/home:{IMAGES}/local/bin:/usr/bin:/bin"}
    await run(backend, "a", fake, environment_variables=variables)
    await backend.environment("a", fresh=True)
    lines = said.read_text().split()
    assert set(lines[::2]) == {str(uid_of(backend.home, Owner.parse("ada")))}
    assert set(lines[1::2]) == {"0"}


async def test_a_closed_port_opens_again_for_its_next_holder(backend, ada):
    await backend.stop("ada", grace_seconds=1)
    await backend.forget("ada")
    reach = f"for n in $(seq 600); do curl -sf http://127.0.0.1:{ada['port']}/ >/dev/null && exit 0; sleep 0.05; done; exit 1"
    listen = f"python -m http.server {ada['port']} --bind 127.0.0.1 & {reach}"
    status, _ = await run(backend, "eve", listen, owner="eve", folder="runs/eve")
    assert status.exit_code == 0


async def test_a_unit_that_floods_its_reports_harms_nobody(backend):
    await backend.start("a", work("yes | head -c 3000000; sleep 300"))
    await until(backend, "a", Phase.RUNNING)
    names = backend.watch()
    assert await anext(names) == "a"
    await backend.stop("a", grace_seconds=0.1)
    await eventually(lambda: _ended(backend), "it goes on")


async def _ended(backend) -> bool:
    return (await backend.statuses(["a"]))["a"].phase is Phase.ENDED
