"""What counts as worse, better, neither and not known, from results as they stand in files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tlswire.errors import UsageError
from tlswire.report.compare import compare
from tlswire.report.compare.stored import read
from tlswire.report.diff import render, to_markdown
from tlswire.results import to_json
from tlswire.results.scan import Tool

from .asked import NASTY, every, hostile, scan, verdict

if TYPE_CHECKING:
    from tlswire.results.diff import Diff

TARGET = {"host": "a.example", "port": 443, "address": "192.0.2.1"}
STRONG, WEAK, LEGACY = (
    {"code": "0x1301", "name": "STRONG", "grade": "strong"},
    {"code": "0x0005", "name": "WEAK", "grade": "weak"},
    {"code": "0x002F", "name": "LEGACY", "grade": "legacy"},
)
OTHER = {"code": "0x1302", "name": "OTHER", "grade": "strong"}


def version(name: str = "TLS 1.2", *suites: dict[str, str], **fields: Any) -> dict[str, Any]:
    told = {"version": name, "verdict": "accepted" if suites else "rejected", "suites": suites, "candidates": 300}
    return told | {"unknown": []} | fields


def a_scan(*versions: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"schema": "tlswire.scan/1", "target": TARGET, "versions": versions} | fields


def a_verdict(word: str = "pass", rules: dict[str, str] | None = None, **fields: Any) -> dict[str, Any]:
    said = [{"id": name, "verdict": value, "title": "a title"} for name, value in (rules or {}).items()]
    return {"schema": "tlswire.verdict/1", "target": TARGET, "policy": "p", "verdict": word, "rules": said} | fields


def chain(sha256: str, *trusted: str, issuers: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    leaf = {"sha256": sha256, "subject": "CN=a", "issuer": "CN=i", "key": "RSA", "bits": 2048} | fields
    known = {"not_after": "2027-01-01T00:00:00Z"} | leaf
    return {"trusted": trusted, "report": {"certificates": [known, *({"sha256": name} for name in issuers)]}}


def shown(*chains: dict[str, Any]) -> dict[str, Any]:
    return a_scan(answers={"certificates": {"chains": chains}})


def diff(old: Any, new: Any) -> Diff:
    olds, news = (read("f", to_file(*side) if isinstance(side, list) else to_file(side)) for side in (old, new))
    return compare(olds, news, names=("old", "new"), tool=Tool("tlswire", "0"))


def to_file(*results: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(result).encode() + b"\n" for result in results)


def changes(old: Any, new: Any) -> list[tuple[str, str, str]]:
    (target,) = diff(old, new).targets
    return [(change.direction, change.about, change.text) for change in target.changes]


def directions(old: Any, new: Any) -> list[tuple[str, str]]:
    return [change[:2] for change in changes(old, new)]


@pytest.mark.parametrize(
    ("name", "came", "went"),
    [("TLS 1.3", "improvement", "regression"), ("TLS 1.2", "improvement", "regression")]
    + [(name, "regression", "improvement") for name in ("TLS 1.1", "TLS 1.0", "SSLv3", "SSLv2")],
)
def test_new_versions_are_good_and_old_ones_bad(name: str, came: str, went: str) -> None:
    refused, accepted = a_scan(version(name)), a_scan(version(name, STRONG, WEAK))
    assert changes(refused, accepted) == [(came, "version", f"{name} is accepted with 2 suites, was rejected")]
    assert changes(accepted, refused) == [(went, "version", f"{name} is rejected, was accepted")]


@pytest.mark.parametrize(
    ("suite", "came", "went"),
    [(WEAK, "regression", "improvement"), (LEGACY, "regression", "improvement"), (OTHER, "neutral", "neutral")],
)
def test_suites_count_by_their_grade(suite: dict[str, str], came: str, went: str) -> None:
    less, more = a_scan(version("TLS 1.2", STRONG)), a_scan(version("TLS 1.2", STRONG, suite))
    named = f"TLS 1.2: {suite['name']} ({suite['grade']})"
    assert changes(less, more) == [(came, "suite", f"{named} is accepted, was refused")]
    assert changes(more, less) == [(went, "suite", f"{named} is refused, was accepted")]


def test_a_version_without_strong_suites_is_worse() -> None:
    old, new = a_scan(version("TLS 1.2", STRONG, WEAK)), a_scan(version("TLS 1.2", WEAK))
    assert directions(old, new) == [("neutral", "suite"), ("regression", "version")]
    assert directions(new, old) == [("neutral", "suite")]


def test_another_grade_of_the_same_suite() -> None:
    old, new = (a_scan(version("TLS 1.2", STRONG, {**WEAK, "grade": grade})) for grade in ("legacy", "weak"))
    assert changes(old, new) == [("regression", "suite", "TLS 1.2: WEAK is rated weak, was legacy")]
    assert directions(new, old) == [("improvement", "suite")]


@pytest.mark.parametrize("lack", [{"unknown": ["0x0005"]}, {"candidates": 5}])
def test_a_suite_that_has_no_answer_is_not_gone(lack: dict[str, Any]) -> None:
    whole, lacking = a_scan(version("TLS 1.2", STRONG, WEAK)), a_scan(version("TLS 1.2", STRONG, **lack))
    assert changes(whole, lacking) == [("unknown", "suite", "TLS 1.2: WEAK (weak) is not known, was accepted")]
    assert changes(lacking, whole) == [("unknown", "suite", "TLS 1.2: WEAK (weak) is accepted, was not known")]


def test_what_is_unknown_in_both_is_no_change() -> None:
    open_one = a_scan(version("TLS 1.2", STRONG, unknown=["0x0005"]), version("TLS 1.1", verdict="unknown"))
    assert changes(open_one, open_one) == []
    closed = a_scan(version("TLS 1.2", STRONG), version("TLS 1.1"))
    assert (
        directions(open_one, closed) == directions(closed, open_one) == [("unknown", "suite"), ("unknown", "version")]
    )


def test_what_only_one_scan_asked_is_not_known() -> None:
    asked = a_scan(version("TLS 1.2", STRONG), **shown_fields(chain("aa")))
    other = a_scan(version("TLS 1.3", STRONG))
    expected = [("unknown", "version"), ("unknown", "version"), ("unknown", "certificate")]
    assert directions(asked, other) == directions(other, asked) == expected


def shown_fields(*chains: dict[str, Any]) -> dict[str, Any]:
    return {"answers": {"certificates": {"chains": chains}}}


def finding(category: str = "weak", **fields: Any) -> dict[str, Any]:
    return {"id": "robot", "category": category, "text": "4 of something"} | fields


@pytest.mark.parametrize("category", ["weak", "fault", "legacy", "something-newer"])
def test_findings_come_and_go(category: str) -> None:
    without, there = a_scan(findings=[]), a_scan(findings=[finding(category)])
    assert changes(without, there) == [("regression", "finding", f"{category} new: 4 of something")]
    assert changes(there, without) == [("improvement", "finding", f"{category} gone: 4 of something")]
    counted = a_scan(findings=[finding(category, text="5 of something")])
    assert changes(there, counted) == []
    assert directions(there, a_scan(findings=[finding(category)] * 2)) == [("regression", "finding")]
    assert directions(a_scan(findings=[finding("info")]), without) == [("neutral", "finding")]


def test_a_finding_that_nobody_looked_for_is_not_gone() -> None:
    there = a_scan(findings=[finding(question="robot")], answers={"robot": {}})
    not_asked = a_scan(findings=[])
    text = "weak in one scan only, the other did not ask for robot: 4 of something"
    assert changes(there, not_asked) == changes(not_asked, there) == [("unknown", "finding", text)]
    cut = a_scan(findings=[], answers={"robot": {}}, complete=False)
    text = "weak in one scan only, the other is incomplete: 4 of something"
    assert changes(there, cut) == changes(cut, there) == [("unknown", "finding", text)]


CERTIFICATES: list[tuple[dict[str, Any], str, str]] = [
    ({"not_after": "2028-01-01T00:00:00Z"}, "neutral", "renewed: expires 2028-01-01T00:00:00Z"),
    (
        {"not_after": "2026-06-01T00:00:00Z"},
        "regression",
        "renewed: expires sooner: 2026-06-01T00:00:00Z, was 2027-01-01T00:00:00Z",
    ),
    ({"bits": 1024}, "regression", "renewed: 1024 bits, was 2048; expires 2027-01-01T00:00:00Z"),
    ({"bits": 4096}, "neutral", "renewed: 4096 bits, was 2048; expires 2027-01-01T00:00:00Z"),
    ({"issuer": "CN=j"}, "neutral", "changed: issuer CN=j, was CN=i; expires 2027-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("fields", "direction", "text"), CERTIFICATES)
def test_certificates_are_renewed_and_changed(fields: dict[str, Any], direction: str, text: str) -> None:
    assert changes(shown(chain("aa")), shown(chain("bb", **fields))) == [
        (direction, "certificate", f"RSA certificate CN=a {text}")
    ]


def test_certificates_of_two_kinds_are_renewed_each_for_itself() -> None:
    old = shown(chain("aa"), chain("cc", key="EC"))
    new = shown(chain("dd", key="EC"), chain("bb"))
    assert [text.split(" ", 1)[0] for *_, text in changes(old, new)] == ["RSA", "EC"]
    assert directions(old, shown(chain("aa"))) == [("neutral", "certificate")]
    assert directions(shown(chain("aa")), old) == [("neutral", "certificate")]
    assert directions(old, shown(chain("aa")) | {"complete": False}) == [("unknown", "certificate")]


def test_trust_is_lost_and_won() -> None:
    trusted, not_trusted = shown(chain("aa", "mozilla", "system")), shown(chain("aa", "system"))
    text = "RSA certificate CN=a is no longer trusted by mozilla"
    assert changes(trusted, not_trusted) == [("regression", "certificate", text)]
    assert directions(not_trusted, trusted) == [("improvement", "certificate")]
    renewed = shown(chain("bb", "system"))
    assert directions(trusted, renewed) == [("neutral", "certificate"), ("regression", "certificate")]
    assert directions(trusted, shown(chain("aa", "mozilla", "system", issuers=("ee",)))) == [("neutral", "certificate")]


JUDGEMENTS = ("pass", "warn", "fail", "unknown", "not-applicable", "exempt", "something-newer")
WORSE = {("pass", "warn"), ("pass", "fail"), ("warn", "fail")}
WORSE |= {(nothing, "fail") for nothing in JUDGEMENTS[4:]} | {(nothing, "warn") for nothing in JUDGEMENTS[4:]}


@pytest.mark.parametrize("old", JUDGEMENTS)
@pytest.mark.parametrize("new", JUDGEMENTS)
def test_verdicts_and_rules_change(old: str, new: str) -> None:
    direction = "neutral"
    if "unknown" in {old, new}:
        direction = "unknown"
    elif (old, new) in WORSE:
        direction = "regression"
    elif (new, old) in WORSE and new in {"pass", "warn"}:
        direction = "improvement"
    expected = [(direction, "verdict"), (direction, "rule")] if old != new else []
    assert directions(a_verdict(old, {"r": old}), a_verdict(new, {"r": new})) == expected


def test_rules_of_another_edition_are_neutral() -> None:
    old, new = a_verdict("pass", {"a": "pass"}, edition="1"), a_verdict("pass", {"b": "fail"}, edition="2")
    assert directions(old, new) == [("neutral", "policy"), ("neutral", "rule"), ("neutral", "rule")]


def nodes(*told: tuple[str, bool, list[str]]) -> dict[str, Any]:
    return a_verdict(nodes=[dict(zip(("address", "reachable", "differs"), node, strict=True)) for node in told])


def test_nodes_come_go_and_differ() -> None:
    old = nodes(("192.0.2.1", True, []), ("192.0.2.2", True, []), ("192.0.2.3", True, ["x"]))
    new = nodes(("192.0.2.1", True, ["suite: A, elsewhere B"]), ("192.0.2.3", True, []), ("192.0.2.4", True, []))
    assert changes(old, new) == [
        ("neutral", "node", "192.0.2.2 is no longer an address of the target"),
        ("regression", "node", "192.0.2.1 differs from the others now"),
        ("improvement", "node", "192.0.2.3 is like the others now"),
        ("neutral", "node", "192.0.2.4 is a new address of the target"),
    ]
    down = nodes(("192.0.2.1", False, []), ("192.0.2.2", True, []), ("192.0.2.3", True, ["x"]))
    assert changes(old, down) == [("unknown", "node", "192.0.2.1 is not reached now")]


def test_the_client_gets_something_else() -> None:
    def got(**fields: Any) -> dict[str, Any]:
        return a_verdict(handshakes=[{"node": "n", "offer": "client", "finished": True} | fields])

    old, new = got(version="TLS 1.2", suite="S"), got(version="TLS 1.3", suite="T", group="x25519")
    assert changes(old, new) == [("neutral", "handshake", "the client gets TLS 1.3 T x25519, was TLS 1.2 S")]
    refused = got(finished=False, ending="alert:handshake_failure")
    assert changes(old, refused) == [("neutral", "handshake", "the client gets alert:handshake_failure, was TLS 1.2 S")]


def test_who_is_not_reached_cannot_be_compared() -> None:
    there, gone = a_scan(version("TLS 1.2", WEAK)), a_scan(reachable=False, error="cannot connect")
    for old, new in ((there, gone), (gone, there), (gone, gone)):
        ((direction, about, text),) = changes(old, new)
        assert (direction, about) == ("unknown", "target")
        assert "cannot connect" in text


def at(host: str = "a.example", port: int = 443, address: str | None = None, **fields: Any) -> dict[str, Any]:
    return a_scan(target={"host": host, "port": port, "address": address} | fields)


def found(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[tuple[str, int, str | None, str]]:
    return [(one.host, one.port, one.address, one.found) for one in diff(old, new).targets]


def test_targets_are_matched_by_what_they_are() -> None:
    old = [at("a", address="1"), at("a", address="2"), at("b"), at("c", 25, starttls="smtp")]
    new = [at("B"), at("a", address="2"), at("a", address="1"), at("c", 25), at("d")]
    assert found(old, new) == [
        ("a", 443, "1", "both"),
        ("a", 443, "2", "both"),
        ("B", 443, None, "both"),
        ("c", 25, None, "old"),
        ("c", 25, None, "new"),
        ("d", 443, None, "new"),
    ]
    moved = diff([at("a", address="1")], [at("a", address="2")]).targets
    assert [change.text for change in moved[0].changes] == ["2 was asked, before it was 1"]
    two = [a_verdict("pass", policy="p"), a_verdict("pass", policy="q")]
    assert [target.policy for target in diff(two, [*two, a_verdict("fail", policy="q")]).targets] == ["p", "q"]


def test_of_one_target_told_twice_the_last_counts() -> None:
    twice = [a_verdict("pass"), a_verdict("fail")]
    assert directions([a_verdict("pass")], twice) == [("regression", "verdict")]


@pytest.mark.parametrize("number", range(6))
def test_a_result_is_like_itself(number: int) -> None:
    result = every()[number]
    for data in (to_json(result), to_json(result, indent=2), to_json(result) + b"\n\n" + to_json(result) + b"\n"):
        results = read("f", data)
        (target,) = compare(results, results, names=("f", "f"), tool=Tool("t", "0")).targets
        expected = [] if result.reachable else ["unknown"]
        assert [change.direction for change in target.changes] == expected


def test_a_museum_that_becomes_a_usual_server_is_better() -> None:
    old, new = ([json.loads(to_json(scan(character)))] for character in ("museum", "plain"))
    for one in (old[0], new[0]):
        one["target"]["port"] = 443
    better, worse = diff(old, new).counts, diff(new, old).counts
    assert (better.regression, better.unknown, worse.improvement, worse.unknown) == (0, 0, 0, 0)
    assert better.improvement == worse.regression > 100


def test_newer_keys_are_passed_over_and_older_results_lack_some() -> None:
    newer = json.loads(to_json(verdict())) | {"something": {"new": [1]}}
    newer["rules"][0]["weight"] = 3
    assert changes(json.loads(to_json(verdict())), newer) == []
    bare = {"schema": "tlswire.scan/1", "target": {"host": "a", "port": 1}}
    assert changes(bare, bare) == []


GOOD = to_file(a_scan())
FAULTS: list[tuple[bytes, str]] = [
    (b"", "f: holds no result"),
    (b" \n\n", "f: holds no result"),
    (b"[]", "f: line 1: is no result: Expected `object`, got `array`"),
    (b"{}", "f: line 1: is nothing where tlswire.scan/1 or tlswire.verdict/1 is needed"),
    (b'{"schema": "tlswire.scan/2"}', "f: line 1: is tlswire.scan/2 where"),
    (b'{"schema": "tlswire.session/1"}\n', "f: line 1: is tlswire.session/1 where"),
    (GOOD + to_file(a_verdict()), "f: line 2: is tlswire.verdict/1, the results before it are tlswire.scan/1"),
    (b'{"schema": "tlswire.scan/1"}', "f: line 1: is no result: Object missing required field `target`"),
    (GOOD.replace(b"443", b'"x"'), "f: line 1: is no result: Expected `int`, got `str` - at `$.target.port`"),
    (
        GOOD + b'{"a": !}\n' + GOOD,
        f"f: line 2: is no JSON: JSON is malformed: invalid character at byte {len(GOOD) + 6}",
    ),
    (GOOD.replace(b"a.example", b"a\xff"), "f: line 1: is no UTF-8 at byte 50"),
    (GOOD + b'{"x": ' + b"[" * 100_000 + b"\n", f"f: line 2: is nested too deeply, at byte {len(GOOD)}"),
    (b"\xef\xbb\xbf" + GOOD, "f: line 1: is no JSON: JSON is malformed: invalid character at byte 0"),
]


@pytest.mark.parametrize(("data", "says"), FAULTS, ids=[str(number) for number in range(len(FAULTS))])
def test_what_cannot_be_read_is_told_by_line_and_byte(data: bytes, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        read("f", data)
    assert str(caught.value).startswith(says)


def test_every_strict_prefix_is_told_with_where_it_ends() -> None:
    for data in (json.dumps(a_scan(), indent=1).encode(), GOOD.rstrip()):
        for end in range(1, len(data)):
            with pytest.raises(UsageError, match=f"is no JSON: .* at byte {end}$"):
                read("f", data[:end])


def test_hostile_results_stay_on_their_line_and_in_their_cell() -> None:
    olds, news = hostile()[1], verdict()
    told = json.loads(to_json(olds))
    other = json.loads(to_json(news)) | {"target": told["target"], "policy": told["policy"], "verdict": NASTY}
    difference = diff([told], [other])
    lines = render(difference).splitlines()
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 1 + len(difference.targets[0].changes) + 1
    page = to_markdown(difference)
    assert "<script" not in page
    assert {line.count("|") for line in page.splitlines()[2:]} == {4}
