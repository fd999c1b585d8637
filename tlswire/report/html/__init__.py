"""Results as one self-contained HTML page: nothing is loaded from anywhere, everything is there without JavaScript.

``scans_page``, ``verdicts_page``, ``sessions_page``, ``fuzz_page`` and ``fuzz_compare_page`` make the bytes of a page; the same results make the same bytes. Whatever comes
from outside is text there: the templates escape it as HTML and as ``printable``, it stands in no address, script or
style, and the page's Content-Security-Policy lets nothing load. Must not import anything of tlswire but ``errors``, ``escape``,
``registry``, ``wire``, ``results`` and ``report``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.report.html.fuzz import campaigns
from tlswire.report.html.fuzz_compare import comparison
from tlswire.report.html.page import render
from tlswire.report.html.scans import overview
from tlswire.report.html.sessions import MAX_SESSIONS, captures
from tlswire.report.html.verdicts import verdicts as judgements
from tlswire.results.fuzz import Fuzz
from tlswire.results.fuzz_compare import FuzzCompare
from tlswire.results.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tlswire.report.sessions import Material
    from tlswire.report.tally import Summary
    from tlswire.results.scan import Scan

__all__ = ["MAX_SESSIONS", "chunks", "fuzz_compare_page", "fuzz_page", "scans_page", "sessions_page", "verdicts_page"]


def chunks(results: Iterable[Scan | Verdict | Fuzz | FuzzCompare], *, whole: bool = True) -> Iterator[bytes]:
    """The page as ``report.writers`` has it written: of scans, each with the verdicts behind it, of verdicts alone, of
    campaigns, or of one comparison of them; not ``whole``: there should be more.
    """
    fuzzed: list[Fuzz] = []
    scans: list[Scan] = []
    verdicts: list[list[Verdict]] = [[]]
    for result in results:
        if isinstance(result, FuzzCompare):
            yield fuzz_compare_page(result)
            return
        if isinstance(result, Fuzz):
            fuzzed.append(result)
        elif isinstance(result, Verdict):
            verdicts[-1].append(result)
        else:
            scans.append(result)
            verdicts.append([])
    if fuzzed:
        yield fuzz_page(fuzzed)
    elif scans:
        yield scans_page(scans, verdicts[1:], interrupted=not whole)
    else:
        yield verdicts_page(verdicts[0], interrupted=not whole)


def scans_page(
    scans: Sequence[Scan], verdicts: Sequence[Sequence[Verdict]] = (), *, interrupted: bool = False
) -> bytes:
    """The page of one scan, or of several with an index, the worst first.

    ``verdicts`` are those of each scan where policies were asked; ``interrupted``: there should be more scans.
    """
    return render("scans", overview(scans, verdicts or [()] * len(scans), interrupted=interrupted))


def fuzz_page(campaigns_: Sequence[Fuzz]) -> bytes:
    """The page of campaigns against one server each."""
    return render("fuzz", campaigns(campaigns_))


def fuzz_compare_page(result: FuzzCompare) -> bytes:
    """The page of several servers side by side."""
    return render("fuzz_compare", comparison(result))


def verdicts_page(verdicts: Sequence[Verdict], *, interrupted: bool = False) -> bytes:
    """The page of what policies say of one target, or of several with an index, the worst first."""
    return render("verdicts", judgements(verdicts, interrupted=interrupted))


def sessions_page(summary: Summary, material: Material, *, interrupted: bool = False) -> bytes:
    """The page of the sessions of one or more captures; ``Summary(MAX_SESSIONS)`` keeps what its table has room for."""
    return render("sessions", captures(summary, material, interrupted=interrupted))
