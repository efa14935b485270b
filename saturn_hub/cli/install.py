"""Installs the software that workspaces, jobs and apps start from: `python -m saturn_hub.cli.install PART…`. Behind a running hub, too.

Each part says how it stands in a file that the pages read, and its output is in `IMAGES/logs/PART.log`.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from saturn_hub.backends.local import software
from saturn_hub.backends.local.process import Process, boot_id, start_time
from saturn_hub.backends.local.software import Installation
from saturn_hub.processes.bound import bound
from saturn_hub.processes.logs import open_log, write_line

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "images-local.txt"
CODE_SERVER = "code-server@4.139.1"
AXE = "axe-core@4.14.1"
BROWSER = "chromium chromium-driver"
LOG_BYTES = 2_000_000
WORK = "git r-base-core r-cran-irkernel r-cran-shiny r-cran-plumber r-cran-rmarkdown pandoc"
EDITORS = "build-essential python3 libkrb5-dev libsecret-1-dev pkg-config libx11-dev libxkbfile-dev"


class Failed(Exception):
    """A step did not succeed; the text is its last line."""


class NotRoot(Exception):
    """Only root can go on; the text is the line to type."""


@dataclass(frozen=True)
class Part:
    """Something to install. `there` looks whether it is, `install` does it and raises Failed or NotRoot."""

    title: str
    there: Callable[[Path], bool]
    install: Callable[[Run], None]
    debian: list[str] = field(default_factory=list)


class Run:
    """One installation of one part: its commands, their output on file, and the part's state while they go on."""

    def __init__(self, images: Path, name: str, part: Part) -> None:
        self.images, self.name, self.part = images, name, part
        self.last = ""
        self.log = open_log(images / "logs" / f"{name}.log", LOG_BYTES, 1)

    def note(self, state: str, message: str = "") -> None:
        process = asdict(Process(os.getpid(), start_time(os.getpid()) or "", boot_id())) if state == "installing" else None
        software.write(self.images, self.name, Installation(state, datetime.now(UTC).isoformat(), message[:500], process))

    def command(self, *words: str, environment: dict[str, str] | None = None, folder: Path | None = None) -> None:
        """Run a step. Raises Failed with its last line."""
        child = subprocess.Popen(
            words, env={**os.environ, **(environment or {})}, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert child.stdout
        with child.stdout:
            for line in child.stdout:
                self.last = line.strip() or self.last
                write_line(self.log, line)
        if child.wait():
            raise Failed(f"'{' '.join(words[:3])}' said: {self.last}")

    def debian(self, packages: list[str]) -> None:
        """Have Debian's packages. Raises NotRoot with the line to type where somebody else has to."""
        if has_debian(packages):
            return
        line = f"sudo apt-get install -y {' '.join(packages)}"
        if os.geteuid() != 0 or not shutil.which("apt-get"):
            raise NotRoot(line)
        with open("/run/lock/saturn-hub-apt.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            quiet = {"DEBIAN_FRONTEND": "noninteractive"}
            # Where an earlier installation was cut off, dpkg wants this first.
            self.command("dpkg", "--configure", "-a", environment=quiet)
            self.command("apt-get", "update", "-qq")
            self.command("apt-get", "install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *packages, environment=quiet)


def has_debian(packages: list[str]) -> bool:
    words = ["dpkg-query", "-W", "-f", "${db:Status-Status}\n", *packages]
    if not shutil.which("dpkg-query"):
        return False
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode == 0 and set(done.stdout.split()) == {"installed"}


def _local(run: Run) -> None:
    prefix = run.images / "local"
    if not (prefix / "bin" / "python").exists():
        run.command(base_python(), "-m", "venv", str(prefix))
    run.command(str(prefix / "bin" / "pip"), "install", "--progress-bar", "off", "--disable-pip-version-check", "--requirement", str(REQUIREMENTS))
    shutil.copyfile(REQUIREMENTS, prefix / ".installed.txt")


def _local_is_there(images: Path) -> bool:
    done = images / "local" / ".installed.txt"
    return done.exists() and done.read_bytes() == REQUIREMENTS.read_bytes()


def _vscode(run: Run) -> None:
    folder = run.images / "code-server"
    folder.mkdir(parents=True, exist_ok=True)
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    run.command("npm", "install", "--no-fund", "--no-audit", "--prefix", ".", CODE_SERVER, environment=path, folder=folder)
    (folder / ".installed.txt").write_text(CODE_SERVER + "\n")


def _vscode_is_there(images: Path) -> bool:
    done = images / "code-server" / ".installed.txt"
    return done.exists() and done.read_text().strip() == CODE_SERVER


def _axe(run: Run) -> None:
    folder = run.images / "test"
    folder.mkdir(parents=True, exist_ok=True)
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"}
    run.command("npm", "install", "--no-fund", "--no-audit", "--prefix", ".", AXE, environment=path, folder=folder)
    (folder / ".installed.txt").write_text(AXE + "\n")


def _test_is_there(images: Path) -> bool:
    done = images / "test" / ".installed.txt"
    return has_debian(BROWSER.split()) and done.exists() and done.read_text().strip() == AXE


def base_python() -> str:
    """The interpreter below our virtual environment: one that other people of the machine reach, where make found one."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


PARTS = {
    "local": Part("JupyterLab and Python", _local_is_there, _local),
    "r": Part("R", lambda _images: has_debian(WORK.split()), lambda run: None, WORK.split()),
    "vscode": Part("VS Code", _vscode_is_there, _vscode, EDITORS.split()),
    "nftables": Part("nftables, which closes apps' ports to other people", lambda _images: has_debian(["nftables"]), lambda run: None, ["nftables"]),
    "test": Part("the tests' browser and its checks", _test_is_there, _axe, BROWSER.split()),
}
DEFAULT = ("local", "r", "vscode")


def one(images: Path, name: str, say: Callable[[str], None]) -> bool:
    """Install a part unless it is there. Whether it is there now."""
    part = PARTS[name]
    images.mkdir(parents=True, exist_ok=True)
    with open(images / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = Run(images, name, part)
        try:
            return _install(run, say)
        finally:
            run.log.close()


def _install(run: Run, say: Callable[[str], None]) -> bool:
    """The steps of one part, with its state before and after."""
    part = run.part
    if part.there(run.images):
        run.note("installed")
        return True
    started = datetime.now(UTC)
    run.note("installing")
    say(f"Installing {part.title}.")
    try:
        if part.debian:
            run.debian(part.debian)
        part.install(run)
    except NotRoot as line:
        run.note("missing", str(line))
        say(f"{part.title}: only root can install it. Type: {line}")
        return False
    except (Failed, OSError) as error:
        run.note("failed", str(error))
        say(f"{part.title} could not be installed: {error} All of it is in {run.images / 'logs' / run.name}.log. Repeat it with: {software.INSTALL}")
        return False
    run.note("installed")
    say(f"{part.title} is installed ({int((datetime.now(UTC) - started).total_seconds())} s).")
    return True


def main(argv: list[str] | None = None) -> int:
    """Install the named parts side by side. 1 where one is missing at the end."""
    parser = argparse.ArgumentParser(prog="python -m saturn_hub.cli.install", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(DEFAULT))
    images = Path(os.environ.get("SATURN_IMAGES") or ROOT / ".images").absolute()
    names, found = parser.parse_args(argv).parts, {}
    signal.signal(signal.SIGTERM, _end_all)

    def work(name: str) -> None:
        found[name] = one(images, name, lambda text: print(text, flush=True))

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in names]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return 0 if all(found.get(name) for name in names) else 1


def behind(images: Path) -> subprocess.Popen[bytes] | None:
    """Start what is missing behind the running hub; None where all is there. It ends with this process."""
    missing = [name for name in DEFAULT if not PARTS[name].there(images)]
    for name in set(DEFAULT) - set(missing):
        software.write(images, name, Installation("installed", datetime.now(UTC).isoformat()))
    if not missing:
        return None
    command = bound(sys.executable, "-m", "saturn_hub.cli.install", *missing)
    return subprocess.Popen(command, env={**os.environ, "SATURN_IMAGES": str(images)}, start_new_session=True, stdin=subprocess.DEVNULL)


def end(installer: subprocess.Popen[bytes]) -> None:
    """End the installer with the package managers that it started."""
    with suppress(ProcessLookupError):
        os.killpg(installer.pid, signal.SIGTERM)
    try:
        installer.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(installer.pid, signal.SIGKILL)
        installer.wait()


def _end_all(_number: int, _frame: object) -> None:
    """Our group is our own session: it has the package managers and nothing else, unless somebody typed the command in a shell."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.getpgid(0) == os.getpid():
        os.killpg(0, signal.SIGTERM)
    os._exit(143)


if __name__ == "__main__":
    sys.exit(main())
