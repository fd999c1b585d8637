"""How rows of the catalogue are written: a group with its clause, one call a row, and the usual ways to make a hello.

Must not import anything of tlswire but ``fuzz`` and ``hello``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tlswire.fuzz.model import MAY, MUST, SHOULD, UNSPECIFIED, Case
from tlswire.fuzz.script import Script, edited, script_of
from tlswire.hello.edit import with_extension

if TYPE_CHECKING:
    from collections.abc import Callable

    from tlswire.fuzz.edits import Edit
    from tlswire.fuzz.script import Ground
    from tlswire.wire.messages import ClientHello

MODERN, OLDER = "TLS 1.3+1.2", "TLS 1.2"


class Made(msgspec.Struct, frozen=True):
    """A way to make a script, and the base it starts from."""

    base: str
    make: Callable[[Ground], Script]


class Rows(msgspec.Struct, frozen=True):
    """The rows of one group: ``clause`` and ``needs`` hold for those that name none of their own."""

    group: str
    clause: str
    needs: tuple[str, ...] = ()

    def must(self, id: str, name: str, difference: str, made: Made, allowed: tuple[str, ...], **more: Any) -> Case:  # noqa: A002 - as the contract has it
        """A row whose clause says MUST."""
        return self._row(id, name, difference, made, allowed, level=MUST, **more)

    def should(self, id: str, name: str, difference: str, made: Made, allowed: tuple[str, ...], **more: Any) -> Case:  # noqa: A002 - as above
        """A row whose clause says SHOULD."""
        return self._row(id, name, difference, made, allowed, level=SHOULD, **more)

    def may(self, id: str, name: str, difference: str, made: Made, allowed: tuple[str, ...], **more: Any) -> Case:  # noqa: A002 - as above
        """A row whose clause says MAY."""
        return self._row(id, name, difference, made, allowed, level=MAY, **more)

    def free(self, id: str, name: str, difference: str, made: Made, allowed: tuple[str, ...], **more: Any) -> Case:  # noqa: A002 - as above
        """A row of which no clause decides."""
        return self._row(id, name, difference, made, allowed, level=UNSPECIFIED, **more)

    def _row(self, id: str, name: str, difference: str, made: Made, allowed: tuple[str, ...], **more: Any) -> Case:  # noqa: A002 - as above
        more = {"clause": self.clause, "needs": self.needs} | more
        return Case(id, self.group, name, made.base, difference, made.make, allowed=allowed, **more)


def modern(*edits: Edit, **more: Any) -> Made:
    """The hello of TLS 1.3 and 1.2 with ``edits``; ``more`` are fields of the Script."""
    return Made(MODERN, lambda ground: edited(ground.modern_tree, edits, **more))


def older(*edits: Edit, **more: Any) -> Made:
    """The hello of TLS 1.2 alone with ``edits``."""
    return Made(OLDER, lambda ground: edited(ground.older_tree, edits, **more))


def ext(code: int, body: bytes | None, base: str = MODERN) -> Made:
    """A base with ``body`` in its extension ``code`` (None removes it): see ``hello.edit.with_extension``."""
    return hello(lambda value, _: with_extension(value, code, body), base)


def hello(change: Callable[[ClientHello, Ground], ClientHello], base: str = MODERN) -> Made:
    """A base changed as a value: what ``change`` makes of it is well formed as far as its fields are."""
    return Made(base, lambda ground: script_of(change(base_of(ground, base), ground)))


def sent(make: Callable[[Ground], Script], base: str = MODERN) -> Made:
    """A script made freely."""
    return Made(base, make)


def base_of(ground: Ground, base: str) -> ClientHello:
    """The valid hello of that base."""
    return ground.modern if base == MODERN else ground.older
