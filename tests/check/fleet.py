"""Many lab servers in a process of their own: ``python -m tests.check.fleet CHARACTER...`` prints their ports as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tlswire.lab.server import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def fleet(characters: Sequence[str]) -> Iterator[list[int]]:
    """The ports of servers with these characters, which run as long as the block."""
    command = [sys.executable, "-m", "tests.check.fleet", *characters]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.kill()


async def serve(characters: Sequence[str]) -> None:
    """Serve until stdin ends, which it does with whoever began this."""
    async with contextlib.AsyncExitStack() as stack:
        labs = [await stack.enter_async_context(Lab(name)) for name in characters]
        print(json.dumps([lab.port for lab in labs]), flush=True)  # noqa: T201 - what the other side waits for
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1:]))
