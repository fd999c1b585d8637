"""The truth about a server: every code point it accepts, asked the plainest way there is.

A blocking client that offers all 65,536 code points in chunks, takes away what the server picks until it picks
nothing, and then confirms each pick alone. Slow on purpose where a trick would be faster, and strict: what cannot be
settled raises. Must not share a line with tlswire, nor import it.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .hellos import client_hello, read_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

VERSIONS = {0x0300: "SSL 3.0", 0x0301: "TLS 1.0", 0x0302: "TLS 1.1", 0x0303: "TLS 1.2", 0x0304: "TLS 1.3"}

# Signals that stand in the list of suites: FALLBACK_SCSV among a chunk's suites would have the whole chunk refused.
SIGNALS = frozenset({0x00FF, 0x5600})

# Where suites have ever been assigned or squatted, TLS 1.3 and private ones included. What a stack that refuses a whole
# list for the sake of one suite (Erlang, mbed TLS) is asked one by one.
SETTLED = (
    range(0x0100),
    range(0x1300, 0x1310),
    range(0x16B0, 0x16C0),
    range(0xC000, 0xC110),
    range(0xCC00, 0xCCC0),
    range(0xD000, 0xD010),
    range(0xFEFE, 0x10000),
)


class OracleError(Exception):
    """The server left a question without an answer, so there is no truth to tell."""


@dataclass(frozen=True, slots=True)
class Oracle:
    """How to ask one server. `singly` distrusts refused lists; `threads` is 1 for a serial server; `preface` is what is
    said before TLS.
    """

    address: tuple[str, int]
    threads: int = 8
    chunk: int = 1024
    singly: bool = False
    server_name: str | None = None
    timeout: float = 5.0
    tries: int = 3
    preface: Callable[[socket.socket], None] | None = None

    def truth(self, versions: Iterable[int] = VERSIONS) -> dict[int, frozenset[int]]:
        """The accepted code points of each version."""
        versions = tuple(versions)
        with ThreadPoolExecutor(self.threads) as pool:
            lists = [(version, chunk) for version in versions for chunk in self._lists()]
            picked: dict[int, set[int]] = {version: set() for version in versions}
            for (version, _), found in zip(lists, pool.map(lambda job: self._eliminate(*job), lists), strict=True):
                picked[version] |= found
            pairs = [(version, code) for version in versions for code in sorted(picked[version])]
            alone = pool.map(lambda pair: self.pick(pair[0], (pair[1],)) == pair[1], pairs)
            accepted: dict[int, set[int]] = {version: set() for version in versions}
            for (version, code), is_accepted in zip(pairs, alone, strict=True):
                if is_accepted:
                    accepted[version].add(code)
        return {version: frozenset(codes) for version, codes in accepted.items()}

    def pick(self, version: int, suites: Sequence[int]) -> int | None:
        """The suite chosen from the list, None when refused; a silent or resetting server is asked again first."""
        hello = client_hello(version, suites, self.server_name)
        failure: OSError | None = None
        for _ in range(self.tries):
            try:
                with socket.create_connection(self.address, self.timeout) as connection:
                    if self.preface is not None:
                        self.preface(connection)
                    connection.sendall(hello)
                    answer = read_answer(connection)
            except OSError as error:
                failure = error
                continue
            if answer is None or answer.version != version:
                return None
            if answer.suite not in suites:
                raise OracleError(f"0x{answer.suite:04x} was chosen but not offered ({VERSIONS[version]})")
            return answer.suite
        # A server that resets every time has made up its mind: closing with our hello half read sends RST, not FIN.
        if isinstance(failure, (ConnectionResetError, BrokenPipeError)):
            return None
        raise OracleError(f"{VERSIONS[version]}, {len(suites)} suites from 0x{suites[0]:04x}: {failure!r}")

    def _lists(self) -> Iterator[list[int]]:
        codes = [code for code in range(0x10000) if code not in SIGNALS]
        if self.singly:
            alone = {code for span in SETTLED for code in span}
            yield from ([code] for code in codes if code in alone)
            codes = [code for code in codes if code not in alone]
        # Strided, so that the suites a server knows are spread over many lists and no list takes long.
        count = -(-len(codes) // self.chunk)
        yield from (codes[start::count] for start in range(count))
        yield from ([code] for code in sorted(SIGNALS))

    def _eliminate(self, version: int, suites: Sequence[int]) -> set[int]:
        left = list(suites)
        found: set[int] = set()
        while left and (code := self.pick(version, left)) is not None:
            found.add(code)
            left.remove(code)
        return found


def describe(truth: dict[int, frozenset[int]]) -> Iterator[str]:
    """The truth as lines of text: counts, then codes."""
    for version, codes in truth.items():
        listed = " ".join(f"{code:04x}" for code in sorted(codes))
        yield f"{VERSIONS[version]}  {len(codes):3d}  {listed}".rstrip()
    yield f"total    {sum(map(len, truth.values())):3d}"
