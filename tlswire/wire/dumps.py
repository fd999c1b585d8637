"""Hex as people paste it: plain, with separators, C-style, or a dump of xxd, hexdump -C, od, Wireshark or tcpdump.

A dump line is believed only when its offset and its text column agree with its bytes: a text column that happens to
look like hex never becomes data. Must not import anything of tlswire but ``errors``; no I/O.
"""

from __future__ import annotations

import re

from tlswire.errors import UsageError

_CONTROLS = frozenset(map(chr, (*range(0x20), 0x7F))) - frozenset("\t\n\r\f")
_SEPARATORS = re.compile(r"[\s,:;-]+")
_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]+)$")
# With a colon any group size may follow; without one only pairs, or plain hex in groups would pass for a dump.
_DUMP_LINE = re.compile(r"\s*(?:0[xX])?([0-9a-fA-F]{4,16})(?::(?=\s)|(?=\s+[0-9a-fA-F]{2}(?:\s|$)))")
_LAST_OFFSET = re.compile(r"[0-9a-fA-F]{4,16}$")
_GROUPS = re.compile(r"\s{0,3}((?:[0-9a-fA-F]{2})+)(?=\s|$)")


def read_input(data: bytes) -> bytes:
    """The bytes meant by ``data``: raw bytes as they are, text as hex or as a hex dump.

    Lines that begin with ``#`` are comments. Raises UsageError (with the line) for text that is neither.
    """
    text = _as_text(data)
    if text is None:
        return data
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if _counts(line)]
    if not lines:
        raise UsageError("input", "is empty")
    found = _read_dump(lines) if _is_dump(lines[0][1]) else _read_plain(lines)
    if not found:
        raise _refused(lines[0][0], lines[0][1], "holds no hex digits")
    return found


def _as_text(data: bytes) -> str | None:
    """``data`` decoded, None when it holds what no text file holds (every TLS record does)."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if any(char in _CONTROLS for char in text) else text


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _refused(number: int, what: str, reason: str) -> UsageError:
    shown = what.strip()
    return UsageError(ascii(shown if len(shown) <= 40 else f"{shown[:37]}..."), reason, f"line {number}")


def _is_dump(line: str) -> bool:
    found = _DUMP_LINE.match(line)
    return found is not None and (found[0].endswith(":") or int(found[1], 16) == 0)


def _read_plain(lines: list[tuple[int, str]]) -> bytes:
    found = bytearray()
    for number, line in lines:
        # A C array: what stands before its brace is its declaration, what stands after it is not data.
        inside, brace, _ = line.rpartition("{")[2].partition("}")
        for token in filter(None, _SEPARATORS.split(inside)):
            digits = _HEX.match(token)
            if digits is None:
                raise _refused(number, token, "is neither hexadecimal nor a dump line")
            odd = len(digits[1]) % 2
            if odd and not (len(digits[1]) == 1 and token != digits[1]):
                raise _refused(number, token, "has an odd number of hex digits")
            found += bytes.fromhex("0" * odd + digits[1])
        if brace:
            break
    return bytes(found)


def _read_dump(lines: list[tuple[int, str]]) -> bytes:
    found = bytearray()
    first: int | None = None
    squeezed = False
    for number, line in lines:
        if line.strip() == "*":
            squeezed = True  # hexdump -C writes one asterisk for any number of lines like the one before
            continue
        offset, row = _dump_line(number, line)
        first = offset if first is None else first
        if squeezed and len(found) >= 16:
            missing = max(offset - first - len(found), 0)
            found += bytes(found[-16:]) * (missing // 16)
        squeezed = False
        if offset - first != len(found):
            reason = f"offset 0x{offset:x} where 0x{first + len(found):x} follows (one packet at a time)"
            raise _refused(number, line, reason)
        found += row
    return bytes(found)


def _dump_line(number: int, line: str) -> tuple[int, bytes]:
    if _LAST_OFFSET.match(line.strip()):
        return int(line, 16), b""
    head = _DUMP_LINE.match(line)
    if head is None:
        raise _refused(number, line, "is no dump line (offset, hex, text)")
    row = bytearray()
    at = head.end()
    while (group := _GROUPS.match(line, at)) is not None:
        row += bytes.fromhex(group[1])
        at = group.end()
        following = line[at:]
        if (following[:2].isspace() or not following.strip()) and _agrees(row, following):
            return int(head[1], 16), bytes(row)
    raise _refused(number, line, "the text column does not repeat the bytes")


def _agrees(row: bytearray, column: str) -> bool:
    """Whether the text column of a dump line shows ``row``; blanks do not count, tools place them differently."""
    text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row).replace(" ", "")
    shown = column.replace(" ", "").strip()
    # hexdump -C and od -t x1z put marks around the text; a text may begin and end with such a character itself.
    framed = len(shown) > 1 and shown[0] + shown[-1] in {"||", "><"}
    return not shown or shown == text or (framed and shown[1:-1] == text)
