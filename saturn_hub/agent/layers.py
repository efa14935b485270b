"""Layers of Python packages: a small venv whose packages come before those of the layer or image below it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path


def make(folder: Path, below: str, image_site: str) -> str:
    """A layer at `folder` on top of `below` (a layer's folder, or the image's python). Its folder. Doing it again changes nothing.

    Python reads packages below through a .pth file, so `pip` sees them and leaves them alone.
    """
    lower = Path(below)
    python = lower / "bin" / "python" if lower.is_dir() else lower
    base, version = _facts(str(python))
    site = folder / "lib" / f"python{version}" / "site-packages"
    if not (folder / "pyvenv.cfg").exists() or not site.is_dir():
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        site.mkdir(parents=True, exist_ok=True)
        for name in ("python", "python3"):
            link = folder / "bin" / name
            link.unlink(missing_ok=True)
            link.symlink_to(base)
        for name in ("pip", "pip3"):
            script = folder / "bin" / name
            script.write_text(f"#!{folder}/bin/python\nimport sys\nfrom pip._internal.cli.main import main\nsys.exit(main())\n")
            script.chmod(0o755)
        (folder / "pyvenv.cfg").write_text(f"home = {os.path.dirname(base)}\ninclude-system-site-packages = false\nversion = {version}\n")
    sites = [str(lower / "lib" / f"python{version}" / "site-packages")] if lower.is_dir() else []
    lines = "".join(f"import site; site.addsitedir({each!r})\n" for each in [*sites, image_site])
    (site / "_saturn_below.pth").write_text(lines)
    return str(folder)


def kernels(folder: Path, layer: str) -> Path:
    """A Jupyter data folder whose `python3` kernel is the layer's python."""
    spec = folder / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True, exist_ok=True)
    argv = [f"{layer}/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    return folder / "jupyter"


def _facts(python: str) -> tuple[str, str]:
    """The interpreter behind a venv's python, and its version as in 3.11."""
    program = "import sys; print(sys._base_executable); print('%d.%d' % sys.version_info[:2])"
    base, version = subprocess.run([python, "-I", "-S", "-c", program], capture_output=True, text=True, check=True).stdout.split("\n")[:2]
    return os.path.realpath(base), version
