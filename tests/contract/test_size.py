"""A unit is held to its size, and the machine is not handed out twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest
from units import IMAGES, run, until, work

from saturn_hub.backends.base import Phase
from saturn_hub.backends.local import LocalBackend
from saturn_hub.errors import OutOfCapacity

FILL = "python -c 'import time; x = bytearray(900 << 20); time.sleep(20)'"
SHARED = (
    "python -c 'import os, mmap, time; m = mmap.mmap(-1, 300 << 20); m.write(bytes(300 << 20)); [os.fork() for _ in range(2)];"
    "sum(m[n] for n in range(0, len(m), 4096)); time.sleep(1.5)'"
)


@pytest.fixture(params=["cgroups", "sampling"])
def held(request, backend) -> LocalBackend:
    """A backend that holds units to their size in each of its two ways."""
    if request.param == "cgroups" and not os.access("/sys/fs/cgroup", os.W_OK):
        pytest.skip("no cgroup can be written here")
    return LocalBackend(backend.home, IMAGES, cgroups=request.param == "cgroups")


async def test_too_much_memory_names_the_next_size(held):
    status, _ = await run(held, "a", FILL)
    assert (status.code, status.path) == ("out_of_memory", "size")
    assert "medium" in status.message


async def test_memory_of_a_child_with_a_session_of_its_own_counts(held):
    status, _ = await run(held, "a", f"setsid {FILL} & wait $!")
    assert status.code == "out_of_memory"


async def test_memory_that_processes_share_counts_once(held):
    status, _ = await run(held, "a", SHARED, memory=1000 * 2**20)
    assert (status.code, status.exit_code) == ("", 0)


async def test_a_unit_gets_the_cpu_of_its_size_and_no_more(held):
    burn = "import os, time; [os.fork() for _ in range(2)]; end = time.monotonic() + 1; [None for _ in iter(lambda: time.monotonic() > end, True)]"
    started = time.monotonic()
    status, log = await run(held, "a", f"python -c '{burn}'; python -c 'import resource; print(resource.getrusage(resource.RUSAGE_CHILDREN))'; times")
    assert status.exit_code == 0
    seconds = [float(minutes.partition("m")[0]) * 60 + float(minutes.partition("m")[2][:-1]) for minutes in log.split()[-2:]]
    assert sum(seconds) < 1.25 * (time.monotonic() - started)


async def test_starts_at_once_never_take_more_memory_than_there_is(backend):
    total = (await backend.capacity()).memory_bytes
    other = LocalBackend(backend.home, IMAGES)
    each = [who.start(f"u{n}", work("sleep 300", memory=total // 3, folder=f"runs/{n}")) for n, who in enumerate([backend, other] * 3)]
    refused = [one for one in await asyncio.gather(*each, return_exceptions=True) if one]
    assert [type(one) for one in refused] == [OutOfCapacity] * 3
    assert (await backend.capacity()).free_memory_bytes < total // 3


async def test_room_is_free_again_after_an_end(backend):
    total = (await backend.capacity()).memory_bytes
    await run(backend, "a", "true", memory=total)
    status, _ = await run(backend, "b", "true", memory=total, folder="runs/2")
    assert status.exit_code == 0


async def test_a_reservation_without_a_unit_holds_nothing(backend):
    (backend.live.folder / "crashed").write_text('{"memory_bytes": 1000000000000000, "gpus": [0]}')
    status, _ = await run(backend, "a", "true")
    assert (status.exit_code, backend.live.names()) in ((0, []), (0, ["a"]))


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that lists two GPUs as NVIDIA's does."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA A100 (UUID: GPU-aaaa)'\necho 'GPU 1: NVIDIA A100 (UUID: GPU-bbbb)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")


async def test_gpus_are_handed_out_whole_and_are_free_again_at_the_end(backend, two_gpus):
    assert (await backend.capacity()).gpu == 2
    show = "echo $CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES; sleep 300"
    for n in range(2):
        await backend.start(f"g{n}", work(show, gpu=1, folder=f"runs/g{n}"))
        await until(backend, f"g{n}", Phase.RUNNING)
    with pytest.raises(OutOfCapacity, match="needs 1 GPU and 0 are free"):
        await LocalBackend(backend.home, IMAGES).start("g2", work(show, gpu=1, folder="runs/g2"))
    await backend.stop("g0", grace_seconds=0.1)
    assert (await LocalBackend(backend.home, IMAGES).capacity()).free_gpu == 1
    status, log = await run(backend, "g2", "echo $CUDA_VISIBLE_DEVICES $NVIDIA_VISIBLE_DEVICES", gpu=1, folder="runs/g2")
    assert (status.exit_code, log) == (0, "0 0\n")


async def test_gpus_of_starts_at_once_are_never_given_twice(backend, two_gpus):
    starts = [backend.start(f"g{n}", work("sleep 300", gpu=1, folder=f"runs/{n}")) for n in range(4)]
    refused = [each for each in await asyncio.gather(*starts, return_exceptions=True) if each]
    assert [type(each) for each in refused] == [OutOfCapacity] * 2
    assert sorted(number for each in backend.live.reservations().values() for number in each.gpus) == [0, 1]


async def test_a_unit_without_a_gpu_sees_none(backend, two_gpus):
    _, log = await run(backend, "a", 'echo "[$CUDA_VISIBLE_DEVICES] $NVIDIA_VISIBLE_DEVICES"', environment_variables={"CUDA_VISIBLE_DEVICES": "0,1"})
    assert log == "[] void\n"


async def test_a_real_gpu_is_seen_by_its_unit_alone(backend):
    if shutil.which("nvidia-smi") is None:
        pytest.skip("nvidia-smi is not here")
    _, log = await run(backend, "a", "ls /dev/nvidia0 && nvidia-smi -L", gpu=1)
    assert "GPU 0" in log
    _, log = await run(backend, "b", "test -c /dev/nvidia0 && head -c1 /dev/nvidia0; echo $?", folder="runs/2")
    assert "GPU" not in log
