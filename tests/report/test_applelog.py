from __future__ import annotations

import pytest

from tests.policy.devicelogs import Said, default, ndjson, read
from tlswire.report.applelog import WIDTH, render

EMS = (
    "f(1) [C1][0x1] {} [ATS FCPv2.1 violation]: TLS 1.2 negotiated without extended master secret (EMS) for server: {}"
)
TRUST = "f(1) [C1][0x1] Error [ATS Violation]: ATS certificate trust requirement not satisfied for server: {}"


def test_a_finding_tells_rule_phase_meaning_time_process_and_remedy() -> None:
    said = [Said(EMS.format("Error", "mdm.example.com"), "profiled", second=second) for second in (1, 1, 7)]
    lines = render(read(default(said))).splitlines()
    assert lines[0] == "1 server named by Apple devices, apple-mdm-27  (1 log, 4 lines)"
    assert lines[2:6] == [
        "mdm.example.com",
        "  ems-tls12  refused, 3 times",
        "             TLS 1.2 was negotiated without extended master secret (RFC 7627)",
        "             2026-10-06T08:41:01Z to 2026-10-06T08:41:07Z  by profiled 3x",
    ]
    assert lines[6].startswith("             remedy: Extended master secret has no switch")


def test_reasons_are_told_with_their_rules() -> None:
    said = [Said("Trust evaluate failure: [leaf SSLHostname Strange]"), Said(TRUST.format("a.example"))]
    text = render(read(default(said)))
    assert "leaf: is for another name, SSLHostname (name-matches)\n" in text
    assert "leaf: failed a check that is not known here, Strange\n" in text


def test_a_remedy_is_told_once_a_server() -> None:
    said = [Said(EMS.format(word, "a.example")) for word in ("Warning", "Error")]
    text = render(read(default(said)))
    assert text.count("remedy: ") == 1
    assert text.index("refused") < text.index("warned of")


def test_verbose_tells_place_and_source() -> None:
    text = render(read(default([Said("[ATS violation] Did not use TLS to server: a.example")])), verbose=True)
    assert "first: log1:2, ats-plaintext\n" in text
    assert "second-hand]" in text
    assert "source" not in render(read(default([Said(EMS.format("Error", "a.example"))])))


def test_what_could_not_be_read_is_told() -> None:
    text = render(read(ndjson([Said("x")]) + b'{"iolation]\n' * 30))
    assert "Not read\n  log1:3: an entry is not JSON" in text
    assert "  and 10 places more\n" in text
    assert text.startswith("Nothing found  (1 log, 32 lines)\n")


def test_many_servers_are_cut_and_said_so() -> None:
    text = render(read(default([Said(EMS.format("Error", f"host{number}.example")) for number in range(203)])))
    assert "3 servers more: --json has them all\n" in text


@pytest.mark.parametrize("name", ["a\x1b[2J\u202e.example", "x" * 400, "ü" * 100, "\x9b31m\x07"])
def test_hostile_names_stay_printable_and_within_the_width(name: str) -> None:
    said = [
        Said(EMS.format("Error", name), process=name),
        Said(f"f(1) Error [ATS violation]: \x1b]0;owned\x07 {name} " * 3),
        Said(f"Trust evaluate failure: [leaf \x1b[2J{name[:9]}]".replace("[2J", "")),
        Said(TRUST.format(name)),
    ]
    text = render(read(ndjson(said)), verbose=True)
    lines = text.splitlines()
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) <= WIDTH


def test_colour_is_only_colour() -> None:
    log = read(default([Said(EMS.format(word, "a.example")) for word in ("Warning", "Error", "")]))
    plain = coloured = render(log, colour=True)
    for code in ("31", "33", "1", "2", "0"):
        plain = plain.replace(f"\033[{code}m", "")
    assert coloured != plain == render(log)
