"""Every capture there is, cut at random places and with bytes flipped, and what must still be read of it.

``python -m tests.capture.hostile`` does all of it and takes a minute; the tests take a sample unless TLSWIRE_SLOW=1.
"""

from __future__ import annotations

import io
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tlswire.capture.files import MAX_DAMAGE, open_capture
from tlswire.capture.reader import Reading
from tlswire.crypto.keylog import parse_keylog
from tlswire.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tlswire.capture.assemble import Found
    from tlswire.crypto.keylog import KeyLog

HERE = Path(__file__).parents[2]
SHARED = HERE.parent / "shared" / "captures"
OWN = HERE / "captures"
_MAGICS = {
    *(bytes.fromhex(magic) for magic in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "0a0d0d0a")),
    *(b"\x28\xb5\x2f\xfd",),
}
# Nothing here takes a second; so long means that it never ends.
_FOREVER = 60

CUTS = 200
MUTANTS = 20


class Result(NamedTuple):
    """What was read of the bytes of a capture; ``refused`` where it was none."""

    found: list[Found]
    frames: int
    damage: list[str]
    refused: str


def captures(folder: Path) -> list[Path]:
    """The captures of a folder, told by their first bytes."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                head = file.read(4)
            if head in _MAGICS or head.startswith(b"\x1f\x8b"):
                found.append(path)
    return found


def keylog_of(path: Path) -> KeyLog | None:
    """The key log beside a capture, or where Wireshark keeps its own."""
    for keys in (path.with_suffix(".keys"), path.parent.parent / "keys" / f"{path.stem}.keys"):
        if keys.exists():
            return parse_keylog(keys.read_bytes())
    return None


def read(data: bytes, log: KeyLog | None = None) -> Result:
    """All sessions of a capture that is these bytes."""
    try:
        capture = open_capture(io.BytesIO(data))
    except UsageError as error:
        return Result([], 0, [], str(error))
    with Reading(capture, keylog=log) as reading:
        found = list(reading)
        return Result(found, reading.frames, reading.damage, "")


@contextmanager
def not_for_ever(what: str) -> Iterator[None]:
    """A hang becomes a failure that names its input."""

    def stop(*_: object) -> None:
        raise TimeoutError(what)

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(_FOREVER)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def is_compressed(data: bytes) -> bool:
    """Whether offsets of the file are not those of the packets."""
    return data.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd"))


def ended_by(result: Result, frame: int) -> list[Found]:
    """The sessions that were over when ``frame`` had been read."""
    return [item for item in result.found if item.order[0] <= frame]


def check_cut(data: bytes, whole: Result, size: int, log: KeyLog | None = None) -> Result:
    """What holds of the first ``size`` bytes of a capture without damage."""
    cut = read(data[:size], log)
    if cut.refused:
        # Only where not even the magic number is left, or deflate has given out no byte yet.
        assert size < 4 or is_compressed(data), cut.refused
        assert cut.refused.isprintable()
        return cut
    frames = cut.frames
    assert frames <= whole.frames
    assert ended_by(cut, frames) == ended_by(whole, frames)
    check_left_open(cut, whole)
    check_nothing_lost(cut, whole)
    check_one_line(cut, size, compressed=is_compressed(data))
    return cut


def check_left_open(cut: Result, whole: Result) -> None:
    """Sessions that the cut ended: what was read of each is what the whole capture begins it with."""
    known: dict[object, list[Found]] = {}
    for item in whole.found:
        known.setdefault(_flow(item), []).append(item)
    for item in cut.found:
        if item.order[0] > cut.frames:
            assert any(_begins(item, other) for other in known.get(_flow(item), ())), item.session


def check_nothing_lost(cut: Result, whole: Result) -> None:
    """Every hello that was complete before the cut is told, whether its session was over or not."""
    kept = {(hello.frame, hello.sha256) for item in cut.found for hello in item.session.hellos}
    before = {
        (hello.frame, hello.sha256)
        for item in whole.found
        for hello in item.session.hellos
        if hello.frame <= cut.frames and not hello.partial
    }
    assert before <= kept


def _flow(item: Found) -> object:
    session = item.session
    ends = sorted([(session.client.address, session.client.port), (session.server.address, session.server.port)])
    return session.first_frame, tuple(ends)


def _begins(cut: Found, whole: Found) -> bool:
    # A hello that is partial for the cut alone stands for the one that was complete later.
    hellos = [hello for hello in cut.session.hellos if not hello.partial]
    answers = [answer for answer in cut.session.server_hellos if not answer.partial]
    pairs = (
        (hellos, [hello for hello in whole.session.hellos if not hello.partial]),
        (answers, [answer for answer in whole.session.server_hellos if not answer.partial]),
        (cut.session.certificates, whole.session.certificates),
        (cut.session.alerts, whole.session.alerts),
    )
    return all(_placeless(mine) == _placeless(theirs[: len(mine)]) for mine, theirs in pairs)


def _placeless(items: Sequence[msgspec.Struct]) -> list[msgspec.Struct]:
    """Without frames: whole messages of a record that is cut have the last frame that was seen of it."""
    return [msgspec.structs.replace(item, frame=0) for item in items]


def check_one_line(cut: Result, size: int, *, compressed: bool) -> None:
    """A cut inside a packet is told once, with the byte and the frame; one between two packets cannot be seen."""
    assert len(cut.damage) <= 1
    for line in cut.damage:
        assert line.isprintable()
        assert f"after frame {cut.frames}" in line or f"frame {cut.frames + 1} needs" in line
        assert "at byte " in line if compressed else f"ends at byte {size}" in line


def mutants(data: bytes, dice: Random, count: int) -> Iterator[tuple[int, bytes]]:
    """The first place that was changed, and the changed bytes: mostly one byte, sometimes several."""
    for _ in range(count):
        places = [dice.randrange(len(data)) for _ in range(dice.choice((1, 1, 1, 4, 16)))]
        changed = bytearray(data)
        for place in places:
            changed[place] ^= dice.randrange(1, 256)
        first = next((at for at in sorted(places) if changed[at] != data[at]), len(data))
        yield first, bytes(changed)


def check_mutant(data: bytes, whole: Result, first: int, changed: bytes, log: KeyLog | None = None) -> Result:
    """What holds of a capture whose bytes are those of another up to ``first``."""
    found = read(changed, log)
    assert len(found.damage) <= MAX_DAMAGE + 1
    assert all(line.isprintable() for line in [*found.damage, found.refused])
    before = read(data[:first]).frames
    if not found.refused:
        assert ended_by(found, before) == ended_by(whole, before)
    return found


def torture(path: Path, cuts: int, flips: int) -> tuple[int, int]:
    """Cut and change one capture, opened by its key log where it has one; how many of the cuts and of the changes left
    damage that could be seen.
    """
    data = path.read_bytes()
    # Seeded by the name: the same places whatever other captures there are.
    dice = Random(f"{path.name} {len(data)}")
    log = keylog_of(path)
    whole = read(data, log)
    seen = noticed = 0
    places = range(len(data)) if len(data) <= cuts else sorted(dice.sample(range(len(data)), cuts))
    for size in places:
        with not_for_ever(f"{path} cut to {size} bytes"):
            cut = check_cut(data, whole, size, log) if not whole.damage else read(data[:size], log)
            seen += bool(cut.damage or cut.refused)
    for first, changed in mutants(data, dice, flips):
        with not_for_ever(f"{path} changed from byte {first}"):
            mutant = check_mutant(data, whole, first, changed, log)
            noticed += bool(mutant.damage or mutant.refused)
    return seen, noticed


def main() -> int:
    """Everything, with what could be seen of it."""
    for path in captures(OWN) + captures(SHARED):
        seen, noticed = torture(path, CUTS, MUTANTS)
        line = f"{path.name:70} cuts seen {seen:3} of {CUTS}, changes seen {noticed:2} of {MUTANTS}"
        sys.stdout.write(f"{line}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
