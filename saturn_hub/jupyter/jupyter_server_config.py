"""Read by each workspace's Jupyter server: the tools that stand beside the notebook, where their programs are there."""

from __future__ import annotations

import os
import shlex
import shutil

from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints


class Checkpoints(AsyncFileCheckpoints):
    """Keeps checkpoints of notebooks beside a person's folders, not in them: a repository has nothing that its people did not write."""

    def checkpoint_path(self, checkpoint_id: str, path: str) -> str:
        folder, name = os.path.split(path.strip("/"))
        stem, extension = os.path.splitext(name)
        kept = os.path.join(os.path.expanduser("~/.saturn/checkpoints"), folder)
        os.makedirs(kept, exist_ok=True)
        return os.path.join(kept, f"{stem}-{checkpoint_id}{extension}")


c = get_config()  # noqa: F821
c.ContentsManager.checkpoints_class = Checkpoints
# No login shell: Debian's /etc/profile sets PATH anew, and a terminal would lose the workspace's programs.
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash"]}
servers = {}

if os.environ.get("SATURN_CODE_SERVER"):
    servers["vscode"] = {
        # A unix socket, not a port: only this person's uid can open it, so code-server needs no password of its own.
        "command": [
            *shlex.split(os.environ["SATURN_CODE_SERVER"]),
            "--socket",
            "{unix_socket}",
            "--auth",
            "none",
            "--disable-telemetry",
            "--disable-update-check",
            os.environ.get("JUPYTERHUB_ROOT_DIR", "."),
        ],
        "unix_socket": True,
        "timeout": 60,
        "new_browser_tab": True,
        "launcher_entry": {"enabled": True, "title": "VS Code"},
    }
rserver = shutil.which("rserver") or shutil.which("/usr/lib/rstudio-server/bin/rserver")
if rserver:
    servers["rstudio"] = {
        "command": [rserver, "--server-daemonize=0", "--auth-none=1", "--www-root-path={base_url}rstudio", "--www-address=127.0.0.1", "--www-port={port}"],
        "timeout": 60,
        "new_browser_tab": True,
        "launcher_entry": {"enabled": True, "title": "RStudio"},
    }
c.ServerProxy.servers = servers
