"""The results as one table, as shares of the limits each row approaches, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.bounds import Results, best_peer, judge, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.measure import Series

HEADINGS = ("tool", "target", "wall s (min..max)", "CPU s", "connections", "found/truth", "x best peer", "bound")


def table(results: Results) -> Iterator[str]:
    """One line a row, under its headings."""
    rows = [HEADINGS, *(_cells(results, series) for series in results.values())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _cells(results: Results, series: Series) -> tuple[str, ...]:
    walls = [run.wall for run in series.runs]
    found = "-"
    if series.found is not None:
        right, wrong = series.found
        found = f"{right}/{len(series.truth)}" + (f" +{wrong} wrong" if wrong else "")
    if failed := sorted({run.code for run in series.runs} - {0}):
        found += f" (exit {', '.join(map(str, failed))})"
    peer = best_peer(results, series.target)
    against = "-" if peer is None else f"{ratio(series, peer):.2f} {peer.tool}"
    return (
        series.tool,
        series.target,
        f"{series.wall:.3f} ({min(walls):.3f}..{max(walls):.3f})",
        f"{series.cpu:.3f}",
        "-" if series.connections is None else str(series.connections),
        found,
        "-" if series is peer else against,
        "; ".join(map(str, judge(results, series))) or "-",
    )


def limits(results: Results, floors: Mapping[str, Series], delays: Mapping[str, float]) -> Iterator[str]:
    """Where each of tlswire's rows spends its time, and the limit it is nearest to."""
    start, imports = floors["interpreter"], floors["imports"]
    yield (
        f"floors: interpreter {start.wall:.3f} s, with the imports of a scan {imports.wall:.3f} s "
        f"({imports.cpu:.3f} s CPU)"
    )
    yield (
        "shares, which overlap: interpreter is the CPU tlswire spends, its start included; server and relay are the CPU"
        " these spend meanwhile, one core each; latency is the rest of a delayed scan, and its depth in delays"
    )
    for series in results.values():
        if not series.tool.startswith("tlswire"):
            continue
        parts = shares(series, delays)
        named = ", ".join(f"{name} {part:.3f} s ({part / series.wall:.0%})" for name, part in parts.items())
        near = max(parts, key=lambda name: parts[name])
        depth = f", {parts['latency'] / delays[series.target]:.0f} delays deep" if "latency" in parts else ""
        yield f"{series.tool}, {series.target}: {near}-bound; of {series.wall:.3f} s: {named}{depth}"


def shares(series: Series, delays: Mapping[str, float]) -> dict[str, float]:
    """Seconds of this row that go to each resource; they overlap, so they need not add up."""
    parts = {"interpreter": series.cpu} | series.others
    if delays.get(series.target):
        parts["latency"] = max(0.0, series.wall - series.cpu)
    return parts


def document(
    results: Results, floors: Mapping[str, Series], delays: Mapping[str, float], machine: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything above as JSON."""
    return {
        "schema": "tlswire.bench/1",
        "machine": machine,
        "floors": {name: _numbers(series) for name, series in floors.items()},
        "rows": [_row(results, series, delays) for series in results.values()],
    }


def _row(results: Results, series: Series, delays: Mapping[str, float]) -> dict[str, Any]:
    peer = best_peer(results, series.target)
    right, wrong = series.found or (None, None)
    return {
        "tool": series.tool,
        "target": series.target,
        **_numbers(series),
        "connections": series.connections,
        "found": right,
        "wrong": wrong,
        "truth": len(series.truth) or None,
        "best_peer": peer and peer.tool,
        "ratio": None if peer is None else round(ratio(series, peer), 4),
        "bounds": [
            {
                "quantity": outcome.check.quantity,
                "versus": outcome.check.versus or None,
                "relation": ">" if outcome.check.above else "<=",
                "limit": outcome.check.limit,
                "measured": outcome.measured,
                "met": outcome.met,
            }
            for outcome in judge(results, series)
        ],
        "shares_s": {name: round(part, 4) for name, part in shares(series, delays).items()},
    }


def _numbers(series: Series) -> dict[str, Any]:
    walls: Sequence[float] = [round(run.wall, 4) for run in series.runs]
    return {
        "wall_s": round(series.wall, 4),
        "walls_s": walls,
        "cpu_s": round(series.cpu, 4),
        "others_cpu_s": {name: round(spent, 4) for name, spent in series.others.items()},
        "exit_codes": sorted({run.code for run in series.runs}),
    }
