"""Several captures, several processes, one result: the same sessions in the same order for any number of processes.

A file is shared by the buckets of its flow table: every process walks all packets and looks after its own buckets;
what each finds is merged by ``Found.order``. With many files each process takes whole ones. A process that is ahead
waits in its pipe, so nothing piles up. Must not import anything of tlswire but ``errors`` and the rest of ``capture``.
"""

from __future__ import annotations

import heapq
import multiprocessing
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tlswire.capture.reader import Reading, open_reading
from tlswire.capture.streams import BUCKETS
from tlswire.errors import TlswireError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

_BATCH = 256


class Work(Protocol):
    """What becomes of a session, in the process that found it."""

    def __call__(self, found: Any) -> Any:
        """What is sent to the reader of the results; None for nothing."""

    def close(self) -> Any:
        """At the end of a file: what was summed up since the last."""


class Report(msgspec.Struct):
    """What was met in one capture, summed over the processes that shared it; ``sums`` are their Work's."""

    name: str
    error: TlswireError | None = None
    size: int = 0
    frames: int = 0
    flows: int = 0
    evicted: int = 0
    encrypted_only: int = 0
    damage: list[str] = []
    ignored: Counter[str] = msgspec.field(default_factory=Counter)
    sums: list[Any] = []


def read_captures(
    paths: Sequence[str | Path],
    work: Callable[[], Work],
    *,
    jobs: int = 1,
    progress: Callable[[str, int, int], None] | None = None,
) -> Iterator[Any | Report]:
    """What ``work`` makes of every session of every capture, in file order; a Report ends each file.

    ``progress`` is called with the name of the file, its size and the position in it. A file that cannot be read is a
    Report with an error.
    """
    if jobs <= 1 or any(str(path) == "-" for path in paths):
        yield from _alone(paths, work(), progress)
    else:
        yield from _shared(paths, work, jobs, progress)


def _alone(paths: Sequence[str | Path], work: Work, progress: Callable[[str, int, int], None] | None) -> Iterator[Any]:
    for path in paths:
        try:
            reading = open_reading(path)
        except UsageError as error:
            yield Report(str(path), error=error)
            continue
        with reading:
            for found in reading:
                if progress is not None:
                    progress(reading.name, reading.size, reading.position)
                if (item := work(found)) is not None:
                    yield item
            yield _report(reading, work)


def _report(reading: Reading, work: Work) -> Report:
    return Report(
        reading.name,
        None,
        reading.size,
        reading.frames,
        reading.flows,
        reading.evicted,
        reading.encrypted_only,
        reading.damage,
        reading.ignored,
        [work.close()],
    )


def _shared(
    paths: Sequence[str | Path],
    work: Callable[[], Work],
    jobs: int,
    progress: Callable[[str, int, int], None] | None,
) -> Iterator[Any]:
    whole = len(paths) >= 2 * jobs
    shares = [frozenset(range(job, BUCKETS, jobs)) for job in range(min(jobs, BUCKETS))]
    context = multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")
    pipes: list[Connection] = []
    processes = []
    for number, buckets in enumerate(shares):
        receiver, sender = context.Pipe(duplex=False)
        mine = list(paths[number :: len(shares)]) if whole else list(paths)
        process = context.Process(target=_serve, args=(sender, mine, work, None if whole else buckets), daemon=True)
        process.start()
        sender.close()
        pipes.append(receiver)
        processes.append(process)
    try:
        for number, path in enumerate(paths):
            reports: list[Report] = []
            sources = [pipes[number % len(pipes)]] if whole else pipes
            streams = [_received(pipe, str(path), reports, progress) for pipe in sources]
            for _, item in heapq.merge(*streams, key=_order) if len(streams) > 1 else streams[0]:
                yield item
            yield _summed(reports)
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for pipe in pipes:
            pipe.close()


def _order(item: tuple[tuple[int, int], Any]) -> tuple[int, int]:
    return item[0]


def _serve(
    sender: Connection, paths: list[str | Path], work: Callable[[], Work], buckets: frozenset[int] | None
) -> None:
    """One process: batches of results, then the report of each file."""
    mine = work()
    try:
        for path in paths:
            sender.send(_serve_one(sender, path, mine, buckets))
    except (BrokenPipeError, KeyboardInterrupt):
        return  # nobody reads any more
    finally:
        sender.close()


def _serve_one(sender: Connection, path: str | Path, work: Work, buckets: frozenset[int] | None) -> Report:
    try:
        reading = open_reading(path, buckets)
    except UsageError as error:
        return Report(str(path), error=error)
    with reading:
        batch = []
        for found in reading:
            if (item := work(found)) is not None:
                batch.append((found.order, item))
            if len(batch) >= _BATCH:
                sender.send((reading.name, reading.size, reading.position, batch))
                batch = []
        if batch:
            sender.send((reading.name, reading.size, reading.position, batch))
        return _report(reading, work)


def _received(
    pipe: Connection, path: str, reports: list[Report], progress: Callable[[str, int, int], None] | None
) -> Iterator[tuple[tuple[int, int], Any]]:
    while True:
        try:
            message = pipe.recv()
        except EOFError:
            reports.append(Report(path, error=UsageError(path, "the process that read it died")))
            return
        if isinstance(message, Report):
            reports.append(message)
            return
        name, size, position, batch = message
        if progress is not None:
            progress(name, size, position)
        yield from batch


def _summed(reports: list[Report]) -> Report:
    """One report of one file: what every process counts is taken once, what they share is added."""
    first = reports[0]
    for other in reports[1:]:
        first.error = first.error or other.error
        first.flows += other.flows
        first.evicted += other.evicted
        first.encrypted_only += other.encrypted_only
        first.sums += other.sums
    return first
