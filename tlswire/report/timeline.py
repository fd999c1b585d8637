"""Sessions over time in bounded memory: columns that get wider as there are more of them.

The width is a power of two, and the columns stand at its multiples: sums of several processes merge to the very sums
of one. Must not import anything of tlswire.
"""

from __future__ import annotations

import math

MAX_COLUMNS = 512
_PER_SECOND = 1 << 10  # the narrowest column: a 1024th of a second


class Timeline:
    """How many sessions began when, and how many of them were weak, or failed."""

    __slots__ = ("columns", "power")

    def __init__(self) -> None:
        self.power = 0
        self.columns: dict[int, list[int]] = {}

    def add(self, start: float, *, weak: bool, failed: bool) -> None:
        """Count a session that began at ``start``, in seconds since 1970."""
        if math.isfinite(start):
            self._count(int(start * _PER_SECOND) >> self.power, 1, weak, failed and not weak)
            self._fit()

    def merge(self, other: Timeline) -> None:
        """Add another's counts."""
        self._widen(other.power)
        for place, counts in other.columns.items():
            self._count(place >> (self.power - other.power), *counts)
        self._fit()

    def shown(self, most: int) -> tuple[float, list[tuple[float, int, int, int]]]:
        """The width of a column in seconds, and for every one in a row, at most ``most``, when it begins, the sessions
        that began in it, the weak ones, and the failed ones beside those.
        """
        if not self.columns:
            return 0.0, []
        first, last, more = min(self.columns), max(self.columns), 0
        while (last >> more) - (first >> more) >= most:
            more += 1
        sums: dict[int, list[int]] = {}
        for place, counts in self.columns.items():
            into = sums.setdefault(place >> more, [0, 0, 0])
            for at, count in enumerate(counts):
                into[at] += count
        width = (1 << (self.power + more)) / _PER_SECOND
        row = []
        for place in range(first >> more, (last >> more) + 1):
            sessions, weak, failed = sums.get(place, (0, 0, 0))
            row.append((place * width, sessions, weak, failed))
        return width, row

    def _count(self, place: int, sessions: int, weak: int, failed: int) -> None:
        counts = self.columns.get(place)
        if counts is None:
            counts = self.columns[place] = [0, 0, 0]
        counts[0] += sessions
        counts[1] += weak
        counts[2] += failed

    def _fit(self) -> None:
        while len(self.columns) > MAX_COLUMNS:
            self._widen(self.power + 1)

    def _widen(self, power: int) -> None:
        more = power - self.power
        if more > 0:
            old, self.columns, self.power = self.columns, {}, power
            for place, counts in old.items():
                self._count(place >> more, *counts)
