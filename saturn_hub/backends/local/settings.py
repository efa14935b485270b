"""What the launcher has to know beside the workload: whose it is, where it is, and its environment variables."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from saturn_hub.backends.local import gpus
from saturn_hub.backends.local.owners import BUILDER_UID, FETCHER_UID
from saturn_hub.model.workload import Kind, Workload

AGENT = Path(__file__).parents[2] / "agent"
# Variables of ours that work needs to reach the network as we do.
PASSED_ON: tuple[str, ...] = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
)
PASSED_ON += (
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_CERT",
    "PIP_FIND_LINKS",
    "PIP_DEFAULT_TIMEOUT",
    "TZ",
)


def settings_of(
    home: Path, images: Path, name: str, workload: Workload, uid: int | None, port: int | None, devices: tuple[int, ...], *, cgroups: bool
) -> dict[str, Any]:
    """A JSON object for the launcher. A workspace lives in its folder; runs and versions keep HOME and code apart."""
    folder = home / "homes" / workload.folder
    code = folder if workload.kind is Kind.WORKSPACE else folder / "files"
    own_home = folder if workload.kind is Kind.WORKSPACE else folder / "home"
    prefix = images / workload.software.name
    account = workload.owner.name
    machine = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    machine |= {
        "PATH": ":".join([*(str(prefix / each) for each in workload.software.path or ("bin",)), "/usr/local/bin:/usr/bin:/bin"]),
        "LANG": "C.UTF-8",
    }
    environment = machine | {
        "HOME": str(own_home),
        "USER": account,
        "LOGNAME": account,
        "SHELL": "/bin/bash",
        "TMPDIR": "/tmp",
        "PYTHONUNBUFFERED": "1",
        "SATURN_OUTPUTS": str(code / "outputs"),
    }
    environment |= {f"SATURN_PARAMETER_{key.upper()}": value for key, value in workload.parameters.items()}
    environment |= {**workload.software.environment_variables, **workload.environment_variables}
    if port is not None:
        environment |= {"PORT": str(port), "HOST": "127.0.0.1"}
    # After the recipe's own: what a unit has of the machine is not its to say.
    environment |= {**gpus.variables(devices), "SATURN_UNIT": str(home / "work" / name)}
    version = next((each.name for each in sorted((prefix / "lib").glob("python3*"))), "python3")
    return {
        "uid": uid,
        "account": account,
        "home": str(own_home),
        "code": str(code),
        "kept": [str(home), str(images), str(AGENT.parent), sys.prefix],
        "port": port,
        "cgroups": cgroups,
        "cgroup": f"{hashlib.sha256(str(home).encode()).hexdigest()[:8]}-{name}",
        "hidden_devices": gpus.hidden_devices(devices),
        "environment": environment,
        "machine": machine,
        "environments": str(home / "environments"),
        "fetcher_uid": FETCHER_UID if uid is not None else None,
        "builder_uid": BUILDER_UID if uid is not None else None,
        "image_python": str(prefix / "bin" / "python"),
        "image_site": str(prefix / "lib" / version / "site-packages"),
    }
