"""The policies that come with tlswire, by name; and a user's own, which is a file.

Must not import anything of tlswire but ``errors`` and ``policy``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from tlswire.errors import UsageError
from tlswire.policy.load import MAX_FILE, read_policy

if TYPE_CHECKING:
    from tlswire.policy.model import Policy

_FOLDER = Path(__file__).parent / "policies"
DEFAULT = "apple-mdm-27"


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The names of all policies that are shipped."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@lru_cache(maxsize=64)
def shipped(name: str) -> Policy:
    """The policy of that name. Raises UsageError for one that is not shipped."""
    if name not in names():
        raise UsageError(repr(name), f"is no policy; shipped are {', '.join(names())}")
    return read_policy(f"{name}.toml", (_FOLDER / f"{name}.toml").read_bytes(), shipped)


def policy_of(text: str) -> Policy:
    """The policy a user means: a shipped one by its name, or a file (``.toml``, or a slash in it). Raises UsageError."""
    if text in names() or not (text.endswith(".toml") or "/" in text):
        return shipped(text)
    path = Path(text)
    try:
        if path.stat().st_size > MAX_FILE:
            raise UsageError(text, f"is larger than {MAX_FILE >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(text, f"cannot be read: {error.strerror}") from None
    return read_policy(text, data, shipped)
