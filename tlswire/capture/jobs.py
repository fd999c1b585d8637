"""Several captures, several processes, one result: the same sessions in the same order for any number of processes.

A file is shared by the buckets of its flow table: every process, this one too, walks all packets and looks after its own
buckets; what each finds is merged by ``Found.order``. With many files each of the others takes whole ones. A process that
is ahead waits in its pipe, and this one once enough of its own results wait for those of others: nothing piles up. Must
not import anything of tlswire but ``errors``, ``crypto`` and the rest of ``capture``.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tlswire.capture.files import open_capture
from tlswire.capture.flows import BUCKETS
from tlswire.capture.reader import Reading
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkContext, SpawnContext

    from tlswire.crypto.keylog import KeyLog

    Progress = Callable[[str, int, int], None]
    Ordered = tuple[tuple[int, int], Any]  # ``Found.order`` and what was made of it

_BATCH = 64
_STEP = 1 << 20  # bytes read after which what was found in them is sent on, however little it is
_AHEAD = 512  # results of this process that may wait for those of others
_LOOK = 32  # of them come before it is looked whether they may go: to look takes as long as to write some
_ROOM = 1 << 20  # bytes of a pipe: what Linux lets anyone have


def _context() -> ForkContext | SpawnContext:
    import multiprocessing  # noqa: PLC0415 - one process alone needs none of it

    if "fork" in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


class Work(Protocol):
    """What becomes of a session, in the process that found it."""

    def __call__(self, found: Any) -> Any:
        """What is sent to the reader of the results; None for nothing."""

    def close(self) -> Any:
        """At the end of a file: what was summed up since the last."""


class Report(msgspec.Struct):
    """What was met in one capture, summed over the processes that shared it; ``sums`` are their Work's.

    ``failed`` says why it was not read, or not all of it, and is empty where it was.
    """

    name: str
    failed: str = ""
    size: int = 0
    frames: int = 0
    flows: int = 0
    evicted: int = 0
    encrypted_only: int = 0
    damage: list[str] = []
    ignored: Counter[str] = msgspec.field(default_factory=Counter)
    sums: list[Any] = []

    @property
    def error(self) -> UsageError | None:
        """``failed`` as an exception: those do not go through a pipe."""
        return UsageError(self.name, self.failed) if self.failed else None


def read_captures(
    paths: Sequence[str | Path],
    work: Callable[[], Work],
    *,
    jobs: int = 1,
    keylog: KeyLog | None = None,
    progress: Progress | None = None,
) -> Iterator[Any | Report]:
    """What ``work`` makes of every session of every capture, in file order; a Report ends each file.

    ``progress`` is called with the name of the file, its size and the position in it whenever more of it was read, from
    this process only and after all others were started. A file that cannot be read is a Report with an error.
    """
    if jobs <= 1 or any(map(_only_once, paths)):
        return _alone(paths, work(), keylog, progress)
    return _shared(paths, work, jobs, keylog, progress)


def _only_once(path: str | Path) -> bool:
    """Whether what is read is gone: several processes would each get pieces of a pipe."""
    try:
        return str(path) == "-" or (Path(path).exists() and not Path(path).is_file())
    except (OSError, ValueError):
        return False


def _open(
    path: str | Path, buckets: frozenset[int] | None, keylog: KeyLog | None, progress: Progress | None
) -> Reading | Report:
    try:
        capture = open_capture(path)
    except UsageError as error:
        return Report(error.what, error.reason)
    if progress is not None:
        capture.watch(progress)
    return Reading(capture, buckets, keylog)


def _alone(paths: Sequence[str | Path], work: Work, keylog: KeyLog | None, progress: Progress | None) -> Iterator[Any]:
    for path in paths:
        reports: list[Report] = []
        for _, item in _read(path, work, None, keylog, reports, progress):
            yield item
        yield from reports


def _read(
    path: str | Path,
    work: Work,
    buckets: frozenset[int] | None,
    keylog: KeyLog | None,
    reports: list[Report],
    progress: Progress | None,
) -> Iterator[Ordered]:
    """What this process makes of its buckets of a capture, by order; the report is added at the end."""
    reading = _open(path, buckets, keylog, progress)
    if isinstance(reading, Report):
        reports.append(reading)
        return
    with reading:
        for found in reading:
            if (item := work(found)) is not None:
                yield found.order, item
        reports.append(_report(reading, work))


def _report(reading: Reading, work: Work) -> Report:
    return Report(
        reading.name,
        "",
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
    keylog: KeyLog | None,
    progress: Progress | None,
) -> Iterator[Any]:
    whole = len(paths) >= 2 * jobs
    shares = _dealt(min(jobs, BUCKETS))
    others = shares if whole else shares[1:]
    context = _context()
    pipes: list[Connection] = []
    processes = []
    try:
        for number, buckets in enumerate(others):
            receiver, sender = context.Pipe(duplex=False)
            _widen(sender)
            pipes.append(receiver)
            mine = list(paths[number :: len(others)]) if whole else list(paths)
            given = (sender, mine, work, None if whole else buckets, keylog)
            process = context.Process(target=_serve, args=given, daemon=True)
            process.start()
            processes.append(process)
            sender.close()
        own = work()
        for number, path in enumerate(paths):
            reports: list[Report] = []
            if whole:
                for _, item in _Feed(pipes[number % len(pipes)], str(path), reports, progress):
                    yield item
            else:
                feeds = [_Feed(pipe, str(path), reports, None) for pipe in pipes]
                yield from _merged(_read(path, own, shares[0], keylog, reports, progress), feeds)
            yield _summed(reports)
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for pipe in pipes:
            pipe.close()


def _merged(own: Iterator[Ordered], feeds: Sequence[_Feed]) -> Iterator[Any]:
    """What this process finds and what comes from others, by order.

    This one goes on while another has nothing yet to compare with: so many of its results are held back for that.
    """
    held: deque[Ordered] = deque()
    for found in own:
        held.append(found)
        if len(held) % _LOOK:
            continue
        while held and (len(held) > _AHEAD or all(map(_Feed.ready, feeds))):
            yield _first(held, feeds)
    while held or any(feed.head() is not None for feed in feeds):
        yield _first(held, feeds)


def _first(held: deque[Ordered], feeds: Sequence[_Feed]) -> Any:
    """Take the first by order of what is held and what comes; waits for every feed that is not over."""
    taken = held
    for feed in feeds:
        head = feed.head()
        if head is not None and (not taken or head[0] < taken[0][0]):
            taken = feed.items
    return taken.popleft()[1]


def _dealt(jobs: int) -> list[frozenset[int]]:
    """The buckets of each process. The first collects what all find, which is about as much work as two of its own."""
    hands = [list(range(job, BUCKETS, jobs)) for job in range(jobs)]
    for number in range(min(2, len(hands[0]))):
        hands[1 + number % (jobs - 1)].append(hands[0].pop())
    return [frozenset(hand) for hand in hands]


def _widen(sender: Connection) -> None:
    """Room for more than one batch, where the system lets: a process need not wait while this one is at work itself."""
    with contextlib.suppress(ImportError, AttributeError, OSError):
        import fcntl  # noqa: PLC0415 - not on every system

        fcntl.fcntl(sender.fileno(), fcntl.F_SETPIPE_SZ, _ROOM)


def _serve(
    sender: Connection,
    paths: list[str | Path],
    work: Callable[[], Work],
    buckets: frozenset[int] | None,
    keylog: KeyLog | None,
) -> None:
    """One process: batches of results, then the report of each file."""
    mine = work()
    try:
        for path in paths:
            sender.send(_serve_one(sender, path, mine, buckets, keylog))
    except (BrokenPipeError, KeyboardInterrupt):
        return  # nobody reads any more
    finally:
        sender.close()


class _Batches:
    """Results on their way to the process that collects them, and how far the file was read when they were made."""

    def __init__(self, sender: Connection) -> None:
        self._sender = sender
        self._items: list[Ordered] = []
        self._where = ("", 0, 0)
        self._told = 0

    def tell(self, name: str, size: int, position: int) -> None:
        """More was read: what was found in it so far need not wait."""
        self._where = (name, size, position)
        if abs(position - self._told) >= _STEP:
            self._told = position
            self.send()

    def add(self, order: tuple[int, int], item: Any) -> None:
        self._items.append((order, item))
        if len(self._items) >= _BATCH:
            self.send()

    def send(self) -> None:
        self._sender.send((self._where, self._items))
        self._items = []


def _serve_one(
    sender: Connection, path: str | Path, work: Work, buckets: frozenset[int] | None, keylog: KeyLog | None
) -> Report:
    batches = _Batches(sender)
    reports: list[Report] = []
    for order, item in _read(path, work, buckets, keylog, reports, batches.tell):
        batches.add(order, item)
    batches.send()
    return reports[0]


class _Feed:
    """What another process finds in one file, by order; its report is added to ``reports`` at the end."""

    def __init__(self, pipe: Connection, path: str, reports: list[Report], progress: Progress | None) -> None:
        self.items: deque[Ordered] = deque()
        self._over = False
        self._pipe = pipe
        self._path = path
        self._reports = reports
        self._progress = progress

    def ready(self) -> bool:
        """Whether its next can be told without waiting."""
        with contextlib.suppress(OSError):  # of a process that died, on some systems: to receive tells it
            while not self.items and not self._over and self._pipe.poll():
                self._receive()
        return self._over or bool(self.items)

    def head(self) -> Ordered | None:
        """Its next, which stays; None at the end."""
        while not self.items and not self._over:
            self._receive()
        return self.items[0] if self.items else None

    def __iter__(self) -> Iterator[Ordered]:
        while self.head() is not None:
            yield self.items.popleft()

    def _receive(self) -> None:
        try:
            message = self._pipe.recv()
        except (EOFError, OSError):  # an OSError where it died in the middle of sending
            message = Report(self._path, "a process that read it died: sessions are missing")
        if isinstance(message, Report):
            self._reports.append(message)
            self._over = True
            return
        where, batch = message
        if self._progress is not None and where[0]:
            self._progress(*where)
        self.items.extend(batch)


def _summed(reports: list[Report]) -> Report:
    """One report of one file: what every process counts is taken once, what they share is added."""
    # One that died has counted nothing.
    first, *others = sorted(reports, key=lambda report: bool(report.failed))
    for other in others:
        first.failed = first.failed or other.failed
        first.flows += other.flows
        first.evicted += other.evicted
        first.encrypted_only += other.encrypted_only
        first.sums += other.sums
    return first
