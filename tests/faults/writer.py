"""`writer.py HOME`: asks for runs of one job without end, and says the id of each when it is written."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]

from world import make_context, person  # noqa: E402

from saturn_hub.engine import jobs, recipes  # noqa: E402


async def main(home: Path) -> None:
    context = make_context(home)
    context.database.migrate()
    ada = await person(context)
    await recipes.save(context, ada, {"kind": "job", "name": "writes", "command": "true", "size": "small", "image": "local"}, create=True)
    while True:
        print((await jobs.start(context, ada, jobs.job_key("ada", "writes"), {}))["id"], flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
