"""Read by each workspace's Jupyter server: the tools that stand beside the notebook, where their programs are there.

What a tool keeps (settings, extensions, checkpoints) is in `~/.saturn` of the workspace: it survives a restart, is no other workspace's, and is never
written inside a repository.
"""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints

c = get_config()  # noqa: F821
KEPT = Path.home() / ".saturn"
CODE = KEPT / "vscode"


class Checkpoints(AsyncFileCheckpoints):
    """Checkpoints of notebooks apart from the notebooks: `.ipynb_checkpoints` in a repository would change its `git status`."""

    def checkpoint_path(self, checkpoint_id: str, path: str) -> str:
        file = KEPT / "checkpoints" / path.strip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        return str(file.with_name(f"{file.stem}-{checkpoint_id}{file.suffix}"))


c.ContentsManager.checkpoints_class = Checkpoints
# No login shell: Debian's /etc/profile sets PATH anew, and a terminal would lose the workspace's programs.
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash"]}

if os.environ.get("SATURN_CODE_SERVER"):
    # A unix socket, not a port: only this person's uid can open it, so code-server needs no password of its own. Jupyter has checked who comes.
    options = "--socket {unix_socket} --auth none --disable-telemetry --disable-update-check --disable-getting-started-override --ignore-last-opened"
    folders = [f"--config={CODE / 'config.yaml'}", f"--user-data-dir={CODE}", f"--extensions-dir={CODE / 'extensions'}"]
    c.ServerProxy.servers = {
        "vscode": {
            "command": [*shlex.split(os.environ["SATURN_CODE_SERVER"]), *options.split(), *folders, os.environ.get("JUPYTERHUB_ROOT_DIR", ".")],
            "unix_socket": True,
            "timeout": 60,
            "new_browser_tab": True,
            "launcher_entry": {"enabled": True, "title": "VS Code"},
        }
    }

try:
    import jupyter_rsession_proxy
except ImportError:
    pass  # an image without RStudio's entry
else:
    if not (shutil.which("rserver") or Path("/usr/lib/rstudio-server/bin/rserver").exists()):
        entry = jupyter_rsession_proxy.setup_rserver
        # The library announces RStudio wherever it is installed itself. A tile that opens an error is worse than none.
        jupyter_rsession_proxy.setup_rserver = lambda: entry() | {"launcher_entry": {"enabled": False, "title": "RStudio"}}
