"""The command line. It needs only HTTP: nothing of the server is imported, but by `saturn hub` when that is called."""

from __future__ import annotations


def main() -> None:
    """The entry point `saturn`."""
    from saturn_hub.cli.main import run

    run()
