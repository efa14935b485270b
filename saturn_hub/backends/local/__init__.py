"""Local processes: a launcher of ours in its own session, the work below it under its owner's uid, everything on files.

A unit is a folder `work/NAME`: workload.json (what to run), process.json (pid, start time, boot), log, progress, status.json
(how it ended; written whole or not at all). Nothing is kept in memory that is not there, so any process may pick a unit up.
"""

from saturn_hub.backends.local.backend import LocalBackend

__all__ = ["LocalBackend"]
