"""What can be pasted into servers' configurations, as data: ``remedies/PRODUCT.toml`` (DOOR), by the names of FIXES.

A rule names a fix (``fix``); every product has an entry for each of them. An entry says where its text goes, which
settings make way for it, what version it takes, and how sure that is. docs/remedies.md says what stands in a file.
Must not import anything of tlswire but ``errors`` and ``results``.
"""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from tlswire.errors import LookupFailedError, TlswireError
from tlswire.results.verdict import Fix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tlswire.results.verdict import Verdict

_FOLDER = Path(__file__).parent / "remedies"
# What rules may name as their fix, and what it changes.
FIXES = {
    "versions": "TLS 1.2 and TLS 1.3, nothing older",
    "suites": "for TLS 1.2 only ECDHE with AES-GCM; all suites of TLS 1.3",
    "groups": "key exchange in X25519, P-256 or P-384",
    "ems": "extended master secret in TLS 1.2",
    "certificate": "a new certificate and its key",
    "chain": "every intermediate sent after the server's certificate",
    "redirect": "redirects to https:// URLs only",
    "https": "TLS on the port",
}
# What texts call the server; who asks for one server's remedies gets its own name.
HOST = "mdm.example.com"
# Stands for the product that the server says it is.
AUTO = "auto"

Sure = Literal["tested", "read in the source", "second-hand", "from memory"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one product needs for one fix: commands to ``run`` first, then ``text`` at ``where``, in place of the settings
    ``instead_of``. ``since`` names the oldest versions that can; ``verified`` begins with how sure this is.
    """

    where: str = ""
    run: str = ""
    text: str = ""
    instead_of: tuple[str, ...] = ()
    since: str = ""
    note: str = ""
    source: str = ""
    verified: Sure = "from memory"


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A server, or a library beneath servers. ``servers`` are beginnings of the Server header by which it is known, in
    lower case; ``reload`` makes changes take effect.
    """

    title: str
    reload: str
    fixes: dict[str, Entry]
    servers: tuple[str, ...] = ()
    about: str = ""


@lru_cache(maxsize=1)
def products() -> dict[str, Product]:
    """All products by name, in the order of their names. Raises TlswireError for a broken file of ours."""
    return {path.stem: _read(path) for path in sorted(_FOLDER.glob("*.toml"))}


def _read(path: Path) -> Product:
    try:
        return msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), Product)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise TlswireError(f"{path.name}: {error}") from None


def product(name: str) -> Product:
    """The product of that name. Raises LookupFailedError, naming those there are."""
    found = products().get(name)
    if found is None:
        raise LookupFailedError(repr(name), f"no such product; there are {', '.join(products())}")
    return found


def choice(name: str) -> str:
    """The name of a product, or ``auto``. Raises as ``product`` does."""
    if name != AUTO:
        product(name)
    return name


def fix(name: str, fixed: str, *, rules: Iterable[str] = (), host: str = HOST) -> Fix:
    """What product ``name`` needs for the fix ``fixed``, which ``rules`` ask for. Raises LookupFailedError."""
    found = product(name)
    if fixed not in found.fixes:
        raise LookupFailedError(repr(fixed), f"no such fix; there are {', '.join(FIXES)}")
    entry = found.fixes[fixed]
    return Fix(
        fix=fixed,
        rules=list(rules),
        product=name,
        title=f"{found.title}: {FIXES[fixed]}",
        where=entry.where,
        instead_of=list(entry.instead_of),
        run=entry.run.strip("\n").replace(HOST, host),
        text=entry.text.strip("\n").replace(HOST, host),
        reload=found.reload,
        since=entry.since,
        note=entry.note,
        source=entry.source,
        verified=entry.verified,
    )


def detected(headers: Iterable[str | None]) -> str | None:
    """The product that Server headers speak of, by the longest beginning that fits; None where they name none."""
    said = [header.lower() for header in headers if header]
    known = [
        (len(start), name)
        for name, one in products().items()
        for start in one.servers
        if any(header.startswith(start) for header in said)
    ]
    return max(known)[1] if known else None


def with_fixes(verdict: Verdict, name: str) -> Verdict:
    """The verdict with what its broken rules need of a product (``auto``: of the one the server says it is). Raises as
    ``product`` does.
    """
    wanted: dict[str, list[str]] = {}
    for rule in verdict.rules:
        if rule.fix is not None and rule.verdict in {"fail", "warn"}:
            wanted.setdefault(rule.fix, []).append(rule.id)
    found = detected(hop.server for hop in verdict.http) if name == AUTO else name
    if found is None:
        note = f"the server does not say what it is: name it ({', '.join(products())}) to get what to paste"
        return msgspec.structs.replace(verdict, notes=[*verdict.notes, note]) if wanted else verdict
    fixes = [fix(found, fixed, rules=rules, host=verdict.target.host) for fixed, rules in wanted.items()]
    notes = list(verdict.notes)
    if fixes and name == AUTO:
        notes.append(f"the server says it is {product(found).title}: where TLS ends in front of it, name that to --fix")
    return msgspec.structs.replace(verdict, fixes=fixes, notes=notes)
