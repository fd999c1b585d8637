"""The sessions of captures as a person reads them: what is weak and what failed first, then servers, then clients.

``render`` writes the summary, ``Rows`` one row a session. Plain text that fits its width; colour only when asked for.
Everything that may come from outside passes ``printable``. Must not import ``capture`` or ``cli``.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tlswire.escape import printable
from tlswire.registry.ratings import OLD_VERSIONS, REASONS
from tlswire.report import judged
from tlswire.report.foremost import QUIET
from tlswire.report.table import WIDTH, Column, counted, ending, endpoint, fit, layout, line, listed, moment
from tlswire.report.tally import Summary, fingerprint
from tlswire.report.text import Paint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tlswire.report.kept import Kept, ServerKey, Share, Tally
    from tlswire.report.tally import Answer, AnswerKey, Server
    from tlswire.results.session import Session

__all__ = ["TOP", "Material", "Rows", "Summary", "render"]

TOP = 25
_RED, _YELLOW, _GREEN, _BOLD, _DIM = "31", "33", "32", "1", "2"
OUTCOMES = {
    "established": "established",
    "alert": "refused",
    "reset": "reset",
    "closed": "closed early",
    "unanswered": "unanswered",
    "incomplete": "incomplete",
}
# Beside those that were decrypted.
_DECRYPTIONS = {
    "partial": "in part",
    "failed": "with secrets that do not open them",
    "no-secrets": "without secrets",
}
TRANSPORTS = {"tcp": "TCP", "quic": "QUIC", "dtls": "DTLS"}
# The version in a JA4 (FoxIO's technical details): the highest that was offered.
OFFERS = {"13": "TLS 1.3", "12": "TLS 1.2", "11": "TLS 1.1", "10": "TLS 1.0", "s3": "SSLv3", "s2": "SSLv2"}
OFFERS |= {"d1": "DTLS 1.0", "d2": "DTLS 1.2", "d3": "DTLS 1.3"}
_BROKEN = tuple(reason.text for reason in REASONS if reason.category == "weak")
_SECRECY = tuple(reason.text for reason in REASONS if reason.category == "no-forward-secrecy")
_FEW = 8  # rows of lists that only accompany


class Material(msgspec.Struct):
    """What was read, and what of it could not be: summed over the captures of one invocation."""

    name: str = ""
    captures: int = 0
    unreadable: int = 0
    size: int = 0
    frames: int = 0
    sessions: int = 0  # before the filters
    encrypted_only: int = 0
    evicted: int = 0
    damage: list[str] = []
    untold: int = 0  # lines of damage beside those
    ignored: Counter[str] = msgspec.field(default_factory=Counter)
    notes: list[str] = []

    @property
    def complete(self) -> bool:
        """Whether everything that is in the captures was seen."""
        return not self.damage and not self.evicted


def render(
    summary: Summary,
    material: Material,
    *,
    colour: bool = False,
    width: int = WIDTH,
    top: int = TOP,
    brief: bool = False,
) -> str:
    """The whole report, ending in a newline. ``top`` bounds each table (0: no bound), ``brief`` leaves them out."""
    paint = Paint(colour=colour)
    sections = [
        _head(summary, material, paint, width),
        judged.section(summary.judged, paint, width, top, brief=brief),
        summary.prospects.section(paint, width, top, brief=brief),
    ]
    if not brief:
        sections += [
            _shares("Weak", summary.weak, summary.sessions, summary.reasons, _severity, paint, width, top),
            _shares("Not established", failed(summary), summary.sessions, summary.endings, _failure, paint, width, top),
            _servers(summary, paint, width, top),
            _clients(summary, paint, width, top),
            _notes(summary, paint, width, top and _FEW),
        ]
    sections.append(_left_out(material, paint))
    return "\n\n".join(text for text in map("\n".join, sections) if text) + "\n"


def _head(summary: Summary, material: Material, paint: Paint, width: int) -> Iterator[str]:
    name = material.name if material.captures == 1 else counted(material.captures, "capture")
    yield paint(printable(name), _BOLD)
    facts = [counted(material.frames, "frame")]
    if material.size:
        facts.append(counted(material.size, "byte"))
    if summary.first:
        facts.append(span(summary.first, summary.last))
    yield from _wrapped(", ".join(facts), width)
    if material.unreadable:
        yield "  " + paint(f"{counted(material.unreadable, 'file')} could not be read", _RED)
    known = f"{material.name}: " if material.captures == 1 else ""
    for text in material.damage:
        yield "  " + paint(printable(text.removeprefix(known)), _YELLOW)
    if material.untold:
        yield "  " + paint(f"and {material.untold:,} more broken places; --quiet tells all on stderr", _YELLOW)
    for text in material.notes:
        yield "  " + paint(printable(text), _YELLOW)
    yield from _totals(summary, material, paint, width)


def _totals(summary: Summary, material: Material, paint: Paint, width: int) -> Iterator[str]:
    filtered = material.sessions - summary.sessions
    if not summary.sessions:
        none = (
            f"none of {counted(filtered, 'session')} passes the filters" if filtered else "no TLS, DTLS or QUIC session"
        )
        yield "  " + paint(none, _YELLOW)
        return
    kinds = ", ".join(
        f"{count:,} {TRANSPORTS[kind]}"
        for kind, count in ranked(summary.transports)
        if kind != "tcp" or len(summary.transports) > 1
    )
    passed = f" of {material.sessions:,}" if filtered else ""
    outcomes = ", ".join(f"{count:,} {OUTCOMES[outcome]}" for outcome, count in ranked(summary.outcomes))
    many = "session" if summary.sessions == 1 and not passed else "sessions"
    yield from _wrapped(f"{summary.sessions:,}{passed} {many}{f' ({kinds})' if kinds else ''}: {outcomes}", width)
    if summary.marks:
        yield from _wrapped(", ".join(f"{count:,} {mark}" for mark, count in ranked(summary.marks)), width)
    if decryptions := summary.decryptions:
        parts = [f"{counted(decryptions['complete'], 'session')} decrypted with key logs"]
        parts += [f"{decryptions[state]:,} {words}" for state, words in _DECRYPTIONS.items() if decryptions[state]]
        yield from _wrapped(", ".join(parts), width)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines broken after commas only."""
    glued = text.replace(" ", "\xa0").replace(",\xa0", ", ")
    lines = textwrap.wrap(glued, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines]


def ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    """What was counted, most frequent first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def span(first: float, last: float) -> str:
    """From when to when, in words; both as seconds since 1970."""
    start, end = moment(first)[:19].replace("T", " "), moment(last)[:19].replace("T", " ")
    if start == end or not start or not end:
        return f"{start or end} UTC"
    until = end[11:] if start[:10] == end[:10] else end
    return f"{start} to {until} UTC ({_duration(last - first)})"


def _duration(seconds: float) -> str:
    days, rest = divmod(round(seconds), 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [
        f"{days:,} d" * bool(days),
        f"{hours} h" * bool(hours),
        f"{minutes} min" * bool(minutes),
        f"{rest} s" * bool(rest),
    ]
    return " ".join([part for part in parts if part][:2])


def failed(summary: Summary) -> int:
    """How many sessions were not established by somebody's fault."""
    return sum(count for outcome, count in summary.outcomes.items() if outcome not in QUIET)


def severity(reason: str) -> int:
    """How bad a weakness is, 0 the worst: broken, weak, an old version, no forward secrecy."""
    if any(reason.startswith(f"{text} (") for text in _BROKEN) or reason.startswith("SSL"):
        return 0
    if any(reason.endswith(f" ({source})") for _, source in OLD_VERSIONS.values()):
        return 2
    return 3 if reason.startswith(_SECRECY) else 1


def _severity(reason: str) -> tuple[int, str]:
    return severity(reason), _YELLOW if severity(reason) == 3 else _RED


def _failure(_: str) -> tuple[int, str]:
    return 0, _YELLOW


def _shares(
    title: str,
    count: int,
    total: int,
    shares: Kept[tuple[str], Share],
    grade: Callable[[str], tuple[int, str]],
    paint: Paint,
    width: int,
    top: int,
) -> Iterator[str]:
    """One line for each thing that sessions have in common, with the servers concerned."""
    rows = [(printable(key), share) for (key,), share in shares]
    if not rows:
        return
    grades = {text: grade(text) for text, _ in rows}
    rows.sort(key=lambda row: (grades[row[0]][0], -row[1].sessions, row[0]))
    yield paint(f"{title}, {count:,} of {counted(total, 'session')}", _BOLD)
    digits = max(len(f"{share.sessions:,}") for _, share in rows)
    names = min(max(len(_names(share.servers, width)) for _, share in rows), 37)
    wide = min(max(len(text) for text, _ in rows), max(width - names - digits - 6, 30))
    for text, share in rows[: top or None]:
        room = width - wide - digits - 6
        label = paint(f"{fit(text, wide):<{wide}}", grades[text][1])
        yield f"  {label}  {share.sessions:>{digits},}  {_names(share.servers, room)}"
    yield from _rest(len(rows), shares.full, top, "more", paint)


def _rest(count: int, full: bool, top: int, what: str, paint: Paint) -> Iterator[str]:
    left = max(count - top, 0) if top else 0
    if full:
        yield paint(f"  and more than {left or 1:,} {what}; --csv and --jsonl hold every session", _DIM)
    elif left:
        yield paint(f"  and {left:,} {what if left > 1 else what.removesuffix('s')}; --top 0 shows every row", _DIM)


def _names(tally: Tally, room: int) -> str:
    return listed(list(map(printable, tally.names())), room, open_end=tally.full)


def _servers(summary: Summary, paint: Paint, width: int, top: int) -> Iterator[str]:
    rows = sorted(summary.servers, key=lambda row: (-row[1].weak, -row[1].sessions, row[0]))
    if not rows:
        return
    shown = rows[: top or None]
    answers = {
        key: sorted(server.answers, key=lambda item: (-item[1].weak, -item[1].sessions, item[0]))
        for key, server in shown
    }
    texts = [chosen(*item) for items in answers.values() for item in items]
    version = max(len(text[0]) for text in texts)
    digits = max(len(f"{server.sessions:,}") for _, server in shown)
    room = width - 4 - version - 2 - 2 - digits - 2
    wide = min(max(len(text[1]) for text in texts), room - 12)
    tail = room - wide
    title = f"Servers, {'weak first' if summary.weak else 'busiest first'}"
    heading = f"{title:<{4 + version + 2}}  "
    count = "sessions".rjust(max(8, 4 + version + 2 + wide + 2 + digits - len(heading)))
    yield paint(heading, _BOLD) + paint(f"{count}  client (JA4)", _DIM)
    for key, server in shown:
        yield "  " + _server(key, server, width - 2, paint)
        for answer_key, answer in answers[key]:
            named, what, after = chosen(answer_key, answer)
            mark = paint("!", _RED) if answer.weak else " "
            clients = answer.clients.names()
            more = " +many" if answer.clients.full else f" +{len(clients) - 1}" if len(clients) > 1 else ""
            client = fit(printable(clients[0]), tail - len(more)) + more
            colour = _RED if answer.weak else _YELLOW if not answer_key.suite else None
            yield (
                f"  {mark} {paint(f'{named:<{version}}', colour)}  {paint(f'{fit(what, wide):<{wide}}', colour)}"
                f"  {answer.sessions:>{digits},}  {client}"
            )
            if after:
                yield f"    {'':<{version}}  {paint(fit(after, width - version - 6), _YELLOW)}"
        if server.answers.full:
            yield paint("    and more answers", _DIM)
    yield from _rest(len(rows), summary.servers.full, top, "servers", paint)


def _server(key: ServerKey, server: Server, width: int, paint: Paint) -> str:
    addresses = list(map(printable, server.addresses.names()))
    marks = [TRANSPORTS[key.transport]] * (key.transport != "tcp") + list(map(printable, server.protocols.names()))
    tail = "".join(f"  {mark}" for mark in marks)
    if not key.name:
        return paint(addresses[0], _BOLD) + tail
    name = printable(key.name)
    room = width - len(tail) - 2
    where = addresses[0]
    if len(addresses) > 1:
        many = "more than " if server.addresses.full else ""
        where = f"port {key.port} of {many}{len(addresses)} addresses"
    return f"{paint(fit(name, max(room - len(where), 20), 'end'), _BOLD)}  {where}{tail}"


def chosen(key: AnswerKey, answer: Answer) -> tuple[str, str, str]:
    """The version, the choice, and what came after it; how it ended stands for a choice that was not made."""
    if not key.suite:
        unseen = key.ending == "established"
        return "-", "established, the answer was not captured" if unseen else key.ending, ""
    endings = answer.endings.names()
    if endings == ["established"]:
        after = ""
    elif len(endings) == 1:
        after = f"all {endings[0]}" if answer.sessions > 1 else endings[0]
    else:
        after = ", ".join(f"{answer.endings.counts[name]:,} {name}" for name in endings)
    return key.version.replace(" draft ", "-d"), f"{key.suite} {key.group}".strip(), after


def _clients(summary: Summary, paint: Paint, width: int, top: int) -> Iterator[str]:
    rows = sorted(summary.clients, key=lambda row: (-row[1].sessions, row[0]))
    if not rows:
        return
    shown = rows[: top or None]
    wide = min(max(len(name) for (name,), _ in shown), width - 44)
    offers = [OFFERS.get(name[1:3], "other") if not name.startswith("(") else "" for (name,), _ in shown]
    version = max(6, *map(len, offers))
    digits = max(8, *(len(f"{client.sessions:,}") for _, client in shown))
    yield paint(f"{'Clients by JA4':<{wide + 2}}", _BOLD) + paint(
        f"  {'sessions':>{digits}}  {'offers':<{version}}  from", _DIM
    )
    for ((name,), client), offer in zip(shown, offers, strict=True):
        room = width - 2 - wide - 2 - digits - 2 - version - 2
        where = _names(client.processes, room // 2 if room > 40 else room) if client.processes.counts else ""
        if not where or room > 40:
            addresses = _names(client.addresses, room - len(where) - 2 * bool(where))
            where = f"{where}  {addresses}" if where else addresses
        label = fit(printable(name), wide)
        yield f"  {label:<{wide}}  {client.sessions:>{digits},}  {offer:<{version}}  {fit(where, room)}".rstrip()
    yield from _rest(len(rows), summary.clients.full, top, "clients", paint)


def _notes(summary: Summary, paint: Paint, width: int, top: int) -> Iterator[str]:
    rows = sorted(summary.notes, key=lambda row: (-row[1].sessions, row[0]))
    if not rows:
        return
    yield paint("What happened on the way", _BOLD)
    digits = max(8, *(len(f"{share.sessions:,}") for _, share in rows))
    yield paint(f"  {'sessions':>{digits}}", _DIM)
    for (text,), share in rows[: top or None]:
        yield f"  {share.sessions:>{digits},}  {fit(printable(text), width - digits - 4)}"
    yield from _rest(len(rows), summary.notes.full, top, "notes", paint)


def _left_out(material: Material, paint: Paint) -> Iterator[str]:
    lines = [(count, "frame", f"not read: {printable(reason)}") for reason, count in ranked(material.ignored)[:_FEW]]
    rest = sum(count for _, count in ranked(material.ignored)[_FEW:])
    if rest:
        lines.append((rest, "frame", "not read for other reasons"))
    if material.encrypted_only:
        lines.append((material.encrypted_only, "connection", "with TLS whose handshake is not in the capture"))
    if material.evicted:
        lines.append((material.evicted, "connection", "given up: too many were open at once"))
    if lines:
        yield paint("Left out", _BOLD)
    wide = max((len(f"{count:,}") for count, _, _ in lines), default=0)
    for count, word, text in lines:
        yield f"  {count:>{wide},} {word if count == 1 else word + 's'} {text}"


# One row a session. When the terminal is narrow, columns of high rank go.
_COLUMNS = (
    Column("frame", 6, 7, 4, right=True),
    Column("time", 8, 27, 6),
    Column("via", 4, 4, 10),
    Column("client", 21, 21, 8),
    Column("server", 21, 21, 9),
    Column("server name", 22, 36, 1, keep="end"),
    Column("version", 8, 8, 0),
    Column("suite", 30, 45, 2, keep="end", greedy=True),
    Column("group", 6, 14, 11),
    Column("JA4", 11, 36, 7),
    Column("outcome", 11, 30, 3),
    Column("marks", 5, 5, 5),
)
# The column of those that a policy judges.
_POLICY = Column("policy", 12, 45, 3)


class Rows:
    """One row a session, in columns that fit ``width``; None for no bound. May be sent to another process."""

    def __init__(self, width: int | None = None, *, colour: bool = False, policy: bool = False) -> None:
        self.cut = width is not None
        self.columns = (*_COLUMNS, _POLICY) if policy else _COLUMNS
        self.widths = layout(self.columns, width)
        self.colour = colour

    def heading(self) -> str:
        """The line of titles."""
        titles = [column.title for column in self.columns]
        return Paint(colour=self.colour)(line(self.columns, self.widths, titles), _DIM)

    def __call__(self, session: Session) -> str:
        """The line of one session. Marks: W weak, R resumed, H a second hello, E ECH (e: grease), 0 early data."""
        server = endpoint(session.server)
        start = moment(session.start)
        name = printable(session.server_name or "")
        if not name and not self.widths[4]:
            name = server
        cells = (
            str(session.first_frame),
            start if self.widths[1] >= len(start) else start[11 : 11 + self.widths[1]],
            session.transport,
            endpoint(session.client),
            server,
            name or "-",
            session.version_name or "-",
            session.suite_name or "-",
            session.group_name or "-",
            fingerprint(session),
            ending(session).removeprefix("connection "),
            "".join(_marks(session)),
            judged.verdict_text(session.policy),
        )[: len(self.columns)]
        text = line(self.columns, self.widths, cells, cut=self.cut)
        bad = session.weak if session.policy is None else session.policy.broken
        code = _RED if bad else None if session.outcome in QUIET else _YELLOW
        return Paint(colour=self.colour)(text, code)


def _marks(session: Session) -> Iterable[str]:
    ech = session.hellos[0].ech if session.hellos else None
    return (
        "W" if session.weak else "",
        "R" if session.resumed else "",
        "H" if session.retry else "",
        "" if ech is None else "e" if ech.kind == "grease" else "E",
        "0" if session.early_data else "",
    )
