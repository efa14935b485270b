"""GPUs of this machine, counted by `nvidia-smi -L` and handed out whole."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection
from functools import cache
from pathlib import Path


def count() -> int:
    """How many there are; none where NVIDIA's program is not there or does not answer."""
    program = shutil.which("nvidia-smi")
    return _count(program) if program else 0


@cache
def _count(program: str) -> int:
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return len(re.findall(r"^GPU \d+:", listed, re.MULTILINE))


def free(taken: Collection[int]) -> list[int]:
    """The numbers of those that nobody has."""
    return [number for number in range(count()) if number not in taken]


def variables(numbers: Collection[int]) -> dict[str, str]:
    """What makes CUDA and NVIDIA's container tools see these devices and no other; with none they see none."""
    listed = ",".join(map(str, numbers))
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": listed, "NVIDIA_VISIBLE_DEVICES": listed or "void"}


def hidden_devices(numbers: Collection[int]) -> list[str]:
    """Device files of the others. A variable is a request; a device that is not there is an answer."""
    return [str(each) for each in sorted(Path("/dev").glob("nvidia[0-9]*")) if int(each.name.removeprefix("nvidia")) not in numbers]
