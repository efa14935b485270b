"""Keeps a unit's port on loopback for root (the gateway, the hub) and the unit's own uid, by nftables."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path


def available() -> bool:
    return os.geteuid() == 0 and shutil.which("nft") is not None


def table(home: Path) -> str:
    return "saturn_" + hashlib.sha256(str(home).encode()).hexdigest()[:12]


def allow(home: Path, port: int, uid: int) -> None:
    """Close `port` to every uid but root and `uid`. Doing it again changes nothing."""
    if not available():
        return
    name = table(home)
    rules = f"""
add table inet {name}
add set inet {name} ports {{ type inet_service; }}
add set inet {name} owners {{ type inet_service . uid; }}
add chain inet {name} out {{ type filter hook output priority 0; }}
flush chain inet {name} out
add rule inet {name} out oif lo ct state established,related accept
add rule inet {name} out oif lo meta skuid 0 accept
add rule inet {name} out oif lo tcp dport . meta skuid @owners accept
add rule inet {name} out oif lo tcp dport @ports reject with tcp reset
add element inet {name} ports {{ {port} }}
add element inet {name} owners {{ {port} . {uid} }}
"""
    subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True)


def release(home: Path, port: int, uid: int) -> None:
    """Open `port` again for whoever gets it next. A rule that is gone already is no error."""
    if available():
        for element in (f"ports {{ {port} }}", f"owners {{ {port} . {uid} }}"):
            subprocess.run(["nft", "delete", "element", "inet", table(home), *element.split()], capture_output=True, check=False)
