"""Pages of scans and captures: what they say, that they load nothing, and that everything can be reached and read."""

from __future__ import annotations

import asyncio
import pickle
import random
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.check.endpoint import check_target
from tlswire.check.plan import Plan
from tlswire.cli.scan_options import CATEGORIES
from tlswire.escape import printable
from tlswire.lab.server import running
from tlswire.policy.remedies import choice, with_fixes
from tlswire.policy.shipped import policy_of
from tlswire.probe.transport import Address
from tlswire.report.foremost import Foremost
from tlswire.report.html import (
    MAX_SESSIONS,
    evidence,
    pictures,
    scans,
    scans_page,
    sessions,
    sessions_page,
    verdicts,
    verdicts_page,
)
from tlswire.report.html.differences import compare
from tlswire.report.sessions import Material, Summary
from tlswire.report.timeline import Timeline
from tlswire.results.proof import Proof
from tlswire.results.scan import Finding
from tlswire.results.session import Endpoint, SessionVerdict
from tlswire.results.verdict import Cell, Node
from tlswire.results.verdict import Endpoint as Role
from tlswire.results.what_if import Choice, Prospect
from tlswire.scan.interview import chosen
from tlswire.scan.pacing import Limits
from tlswire.scan.scanner import Options, scan_host, unresolved
from tlswire.scan.trust import public_store

from . import made
from .pages import HOSTILE, checked, holds_hostile, poisoned

if TYPE_CHECKING:
    from tlswire.results import Scan
    from tlswire.results.session import Session
    from tlswire.results.verdict import Verdict

replace = msgspec.structs.replace


def scanned(character: str, questions: str = "") -> Scan:
    asked = chosen([questions]) if questions else ()
    with running(character) as lab:
        options = Options(method="eliminate", questions=asked, limits=Limits(timeout=2))
        return scan_host("localhost", lab.port, options)


@pytest.fixture(scope="module")
def weak() -> Scan:
    return scanned("legacy-mdm", "default")


@pytest.fixture(scope="module")
def modern() -> Scan:
    return scanned("modern")


def at(scan: Scan, address: str, host: str = "mdm.example.com") -> Scan:
    return replace(scan, target=replace(scan.target, host=host, port=443, address=address))


# Scans.


def test_a_scan_is_one_page_that_tells_the_verdict_first(weak: Scan) -> None:
    document = checked(scans_page([weak]))
    text = document.text
    assert text.index("Weak") < text.index("RC4: 2 suites") < text.index("0x0005")
    assert "take ffdhe2048 or ffdhe3072 of RFC 7919, or leave DHE out" in text
    assert "CN=lab.example is signed by itself" in text
    assert f"{weak.connections} connections in" in text


def test_the_matrix_has_a_place_for_every_suite_of_every_version(weak: Scan) -> None:
    document = checked(scans_page([weak]))
    cells = [cell for cell in document.all("td") if (cell.get("class") or "").startswith("cell ")]
    taken = Counter(cell.get("class") for cell in cells if "none" not in (cell.get("class") or ""))
    assert sum(taken.values()) == sum(len(version.suites) for version in weak.versions) == 38
    assert taken == {"cell weak": 12, "cell legacy": 26}
    squares = [element for element in document.all("g") if element.get("class") in {"weak", "legacy", "strong"}]
    assert len(squares) == 38


def test_every_suite_leads_to_its_bytes(weak: Scan) -> None:
    document = checked(scans_page([weak]))
    folds = {f"#{fold.get('id')}": fold.text for fold in document.all("details")}
    rows = [row for row in document.all("tr") if row.get("data-kind") and row.within("tbody")]
    for suite in weak.versions[4].suites:
        (row,) = [row for row in rows if f"{suite.name}{suite.code}" in row.text]
        link = next(link for link in document.all("a") if row in link.above)
        text = folds[link.get("href") or ""]
        assert f"TLS 1.2  {suite.code}  {suite.name}" in text
        assert suite.proof.sent in text
        assert suite.proof.received in text


def test_every_question_that_was_asked_is_answered(weak: Scan) -> None:
    document = checked(scans_page([weak]))
    headings = {heading.text.strip() for heading in document.all("h2", "h3")}
    assert {"Certificates", "Key exchange groups", "Resumption", "Known attacks"} <= headings
    assert len(weak.answers.certificates.chains) == 1  # type: ignore[union-attr]  # it was asked
    assert "until 2045-01-01" in document.text


def test_a_chain_is_drawn_along_the_path_that_was_judged_or_else_as_it_was_sent(weak: Scan) -> None:
    certificates = weak.answers.certificates
    assert certificates is not None
    (shown,) = certificates.chains
    judged = shown.report.verdicts[0]
    root = replace(judged.path[0], subject="CN=a root", presented=None, anchor=True)
    path = replace(judged, valid=True, path=(*judged.path, root), problems=())
    for verdicts_, subjects in (((judged, path), ["CN=lab.example", "CN=a root"]), ((), ["CN=lab.example"])):
        report = replace(shown.report, verdicts=verdicts_)
        answers = replace(weak.answers, certificates=replace(certificates, chains=[replace(shown, report=report)]))
        document = checked(scans_page([replace(weak, answers=answers)]))
        (boxes,) = [one for one in document.all("ol") if one.get("class") == "boxes"]
        assert [b.text for b in document.all("b") if boxes in b.above] == subjects
        assert ("anchor of mozilla, not sent" in document.text) == (len(subjects) == 2)


def test_nothing_wrong_is_said_as_such(modern: Scan) -> None:
    fine = replace(modern, findings=[])
    assert "No problems found" in checked(scans_page([fine])).text
    only_told = replace(modern, findings=[Finding("x", "info", "good to know", "RFC 1")])
    assert "No problems found" in checked(scans_page([only_told])).text
    unsure = checked(scans_page([replace(fine, complete=False)])).text
    assert "No problems found" not in unsure
    assert "Incomplete" in unsure
    both = checked(scans_page([replace(modern, complete=False, findings=[Finding("x", "legacy", "old", "RFC 1")])]))
    assert "Legacy incomplete" in " ".join(both.text.split())


def test_every_category_of_findings_has_its_words() -> None:
    assert set(scans.CATEGORIES) == set(CATEGORIES)


def test_what_was_not_reached_says_why() -> None:
    text = checked(scans_page([unresolved("no.invalid", 443, "no such name", Options())])).text
    assert "Not reached" in text
    assert "no such name" in text
    assert "Versions and suites" not in text


def test_several_targets_have_an_index_the_worst_first(weak: Scan, modern: Scan) -> None:
    gone = unresolved("no.invalid", 443, "no such name", Options())
    fine = replace(modern, findings=[])
    page = scans_page([fine, gone, weak])
    document = checked(page)
    rows = [row for row in document.all("tr") if row.get("data-kind") and row.within("tbody")]
    order = [row.get("data-kind") for row in rows if any(table.get("id") == "targets" for table in row.above)]
    assert order == ["weak", "unreachable", "fine"]
    assert [article.get("aria-labelledby") for article in document.all("article")] == ["t1", "t2", "t3"]
    for scans_ in ([gone, weak, fine], [weak, fine, gone]):
        assert scans_page(scans_) == page


def test_addresses_of_one_host_stand_side_by_side_with_what_differs(weak: Scan, modern: Scan) -> None:
    three = [at(weak, "192.0.2.1"), at(modern, "192.0.2.2"), at(modern, "2001:db8::3")]
    comparison = compare("mdm.example.com:443", three)
    assert comparison.columns == ("192.0.2.1", "192.0.2.2, 2001:db8::3")
    rows = {row.fact: row.values for row in comparison.rows}
    assert rows["TLS 1.0"] == (("accepted, 10 suites",), ("rejected",))
    assert "TLS_RSA_WITH_RC4_128_SHA" in rows["TLS 1.2: suites that not all have"][0]
    assert "SSLv2" not in rows
    text = checked(scans_page(three)).text
    assert "3 addresses differ" in text
    alike = checked(scans_page([at(modern, "192.0.2.2"), at(modern, "192.0.2.3")])).text
    assert "2 addresses answer alike" in alike


def test_hostile_text_stays_text_in_a_scan(weak: Scan) -> None:
    evil = poisoned(weak)
    holds_hostile(checked(scans_page([evil])))
    holds_hostile(checked(scans_page([at(evil, "192.0.2.1" + HOSTILE, HOSTILE), at(weak, "192.0.2.2", HOSTILE)])))
    holds_hostile(checked(scans_page([unresolved(HOSTILE, 443, HOSTILE, Options())])))


def test_an_interrupted_run_says_so(modern: Scan) -> None:
    assert "interrupted" in checked(scans_page([modern], interrupted=True)).text
    assert "interrupted" in checked(scans_page([], interrupted=True)).text
    assert "interrupted" not in checked(scans_page([modern])).text


def test_a_page_has_bounds_and_says_what_is_left_off(weak: Scan, modern: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "MAX_TARGETS", 2)
    monkeypatch.setattr(scans, "MAX_INDEX", 3)
    many = [at(modern, "192.0.2.1", f"host{number}.example.com") for number in range(4)]
    document = checked(scans_page(many))
    assert len(document.all("article")) == 2
    assert "1 targets more are left off" in document.text
    assert "2 targets are told here only" in document.text
    monkeypatch.setattr(evidence.Room.__init__, "__defaults__", (5000,))
    small = scans_page([weak])
    assert len(small) < len(scans_page([weak])) + 1
    assert "connections are left off; --json" in checked(small).text


def test_evidence_is_found_wherever_it_is_and_cut_where_it_is_long() -> None:
    room = evidence.Room(3 * evidence.MAX_PROOF)
    long = Proof("ab" * evidence.MAX_PROOF, "cd")
    shown = room.evidence("x", long)
    assert shown is not None
    assert (len(shown.sent), shown.received, shown.cut) == (evidence.MAX_PROOF, "cd", evidence.MAX_PROOF)
    assert room.evidence("y", long) is not None
    assert room.evidence("z", long) is None
    assert room.left_off == 1


# Verdicts.


@pytest.fixture(scope="module")
def failed() -> Verdict:
    """What a policy says of a weak server, with what to paste."""
    with running("legacy-mdm") as lab:
        policy = policy_of("apple-mdm-27")
        plan = Plan(policy=policy, public=public_store(), proofs=True, limits=Limits(timeout=2))
        address = Address("127.0.0.1", lab.port)
        verdict = asyncio.run(check_target("localhost", [address], plan))
    return with_fixes(verdict, choice("nginx"))


def test_a_verdict_is_one_page_that_says_yes_or_no_first(failed: Verdict) -> None:
    document = checked(verdicts_page([failed]))
    text = document.text
    assert text.index("Fails") < text.index("Broken") < text.index("The client gets TLS 1.3") < text.index("Warnings")
    assert "Enable ECDHE suites with AES-GCM for TLS 1.2, and TLS 1.3." in text
    assert "ssl_protocols TLSv1.2 TLSv1.3;" in text
    proofs = [one.proof for rule in failed.rules for one in rule.evidence if one.proof is not None]
    assert proofs
    assert all(proof.sent in text for proof in proofs)
    assert "TLS_RSA_WITH_AES_128_GCM_SHA256" in text
    rules = [item for item in document.all("li") if item.get("data-kind")]
    assert Counter(item.get("data-kind") for item in rules) == Counter(rule.verdict for rule in failed.rules)
    folded = [item.get("data-kind") for item in rules if item.within("details")]
    assert set(folded) == {"pass", "not-applicable"}


def test_verdicts_have_an_index_the_worst_first(failed: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = replace(failed, verdict="pass", rules=[], target=replace(failed.target, host="fine.example.com"))
    role = replace(failed, verdict="exempt", endpoint=Role("scep", "test", "the old one"))
    document = checked(verdicts_page([passed, role, failed]))
    rows = [row for row in document.all("tr") if row.get("data-kind")]
    assert [row.get("data-kind") for row in rows] == ["weak", "strong", "none"]
    assert "the old one" in document.text
    assert verdicts_page([failed, passed, role]) == verdicts_page([role, failed, passed])
    monkeypatch.setattr(verdicts, "MAX_TARGETS", 1)
    assert "2 targets are told here only" in checked(verdicts_page([passed, role, failed])).text
    assert "interrupted" in checked(verdicts_page([], interrupted=True)).text


def test_addresses_that_differ_are_named(failed: Verdict) -> None:
    nodes = [
        Node(address="192.0.2.1", reachable=True, connections=9, differs=["takes TLS 1.0"]),
        Node(address="192.0.2.2", reachable=False, connections=1, differs=[], error="refused the connection"),
        Node(address="192.0.2.3", reachable=True, connections=9, differs=[]),
    ]
    text = checked(verdicts_page([replace(failed, nodes=nodes)])).text
    assert "takes TLS 1.0" in text
    assert "refused the connection" in text
    assert "Addresses differ" not in checked(verdicts_page([failed])).text


def test_a_scan_shows_what_policies_say_of_it(weak: Scan, modern: Scan, failed: Verdict) -> None:
    document = checked(scans_page([modern, weak], [[], [failed, replace(failed, policy="second", verdict="pass")]]))
    assert "apple-mdm-27: fails" in document.text
    assert "second: passes" in document.text
    assert "apple-mdm-27: fail" in next(row.text for row in document.all("tr") if row.get("data-kind"))


def test_clients_are_told_beside_each_server_and_against_all(failed: Verdict) -> None:
    (got, *_) = failed.handshakes
    cells = [
        Cell(client="ios-14", verdict="fail", broken=["ems-tls12"], handshake=got),
        Cell(client="safari-26", verdict="pass", broken=[], handshake=replace(got, version="TLS 1.3", finished=True)),
    ]
    one = replace(failed, matrix=cells)
    other = replace(failed, matrix=cells[1:], target=replace(failed.target, host="other.example.com"))
    assert "Clients and servers" not in checked(verdicts_page([one])).text
    document = checked(verdicts_page([one, other, failed]))
    (table,) = [table for table in document.all("table") if table.get("class") == "matrix crossed"]
    kinds = [cell.get("class") for cell in document.all("td") if table in cell.above]
    assert kinds == ["cell weak", "cell none", "cell strong", "cell strong"]
    assert document.text.count("What other clients get") == 2
    holds_hostile(checked(verdicts_page([poisoned(one), poisoned(other)])))


def test_hostile_text_stays_text_in_verdicts(weak: Scan, failed: Verdict) -> None:
    holds_hostile(checked(verdicts_page([poisoned(failed)])))
    holds_hostile(checked(verdicts_page([poisoned(failed), failed])))
    holds_hostile(checked(scans_page([weak], [[poisoned(failed)]])))


def test_what_to_paste_keeps_its_tabs_and_lines(failed: Verdict) -> None:
    fix = replace(failed.fixes[0], text="server {\n\tssl_protocols TLSv1.3;\x1b\n}")
    page = verdicts_page([replace(failed, fixes=[fix])])
    assert b"server {\n\tssl_protocols TLSv1.3;\\x1b\n}\n</pre>" in page


# Captures.


def summed(*found: Session, rows: int = MAX_SESSIONS) -> Summary:
    summary = Summary(rows)
    for one in found:
        summary.add(one)
    return summary


def met(found: int, **fields: object) -> Material:
    known: dict[str, object] = {"name": "made.pcap", "captures": 1, "size": 100, "frames": 9, "sessions": found}
    return Material(**known | fields)  # type: ignore[arg-type]  # the caller knows the field


WEAK = made.session(
    weak=["RC4 (RFC 7465)"], suite_name="TLS_RSA_WITH_RC4_128_SHA", version_name="TLS 1.0", first_frame=9
)
FAILED = made.session(outcome="reset", suite_name=None, version_name=None, group_name=None, first_frame=5)


def test_captures_are_one_page_with_what_is_weak_first() -> None:
    found = [made.session(), WEAK, FAILED]
    document = checked(sessions_page(summed(*found), met(3)))
    text = document.text
    assert "1 of 3 weak" in text
    assert text.index("RC4 (RFC 7465)") < text.index("connection reset") < text.index("33.3 %")
    rows = [row for row in document.all("tr") if any(table.get("id") == "session-table" for table in row.above)]
    assert [row.get("data-kind") for row in rows if row.within("tbody")] == ["weak", "failed", "fine"]


def test_an_empty_capture_has_a_page() -> None:
    assert "No sessions" in checked(sessions_page(Summary(), Material())).text
    assert "No problems found" in checked(sessions_page(summed(made.session()), met(1))).text
    assert "1 of 1 not established" in checked(sessions_page(summed(FAILED), met(1))).text


def test_hostile_text_stays_text_in_captures() -> None:
    evil = poisoned(made.session(weak=["x"], notes=["y"], hellos=[made.hello(ja4=HOSTILE)], version_name=HOSTILE))
    material = met(1, name=HOSTILE, damage=[HOSTILE], ignored=Counter({HOSTILE: 2}))
    document = checked(sessions_page(summed(evil), material))
    holds_hostile(document)
    assert printable(HOSTILE).rpartition("/")[2] in document.title


def test_what_policies_say_of_captures_comes_first() -> None:
    said = SessionVerdict("apple-mdm-27", "fail", ["ems-tls12"], [], [], [])
    choice = Choice("0x0304", "TLS 1.3", "0x1301", "TLS_AES_128_GCM_SHA256", "0x001D", "x25519")
    found = [made.session(policy=said, first_frame=7), made.session(first_frame=1)]
    summary = summed(*found)
    summary.prospects.policy = "apple-mdm-27", "a title", "an edition"
    summary.prospects.add(found[0], "t13d_x", Prospect(choice, warnings=("version-old",)))
    summary.prospects.add(found[1], "t10d_y", Prospect(None, broken=("version-tls12",)))
    document = checked(sessions_page(summary, met(2)))
    text = document.text
    assert "1 of 2 fail apple-mdm-27" in text
    headings = [heading.text for heading in document.all("h2")]
    assert headings[:2] == ["Sessions under apple-mdm-27", "What if servers spoke only what apple-mdm-27 allows"]
    assert "ems-tls12 1" in text
    assert text.index("t10d_y") < text.index("t13d_x")
    assert "TLS 1.3 TLS_AES_128_GCM_SHA256 x25519" in text
    rows = [row.get("data-kind") for row in document.all("tr") if row.get("data-kind") in {"weak", "fine"}]
    assert rows[-2:] == ["weak", "fine"]
    evil = poisoned(found[0])
    summary = summed(evil)
    summary.prospects.policy = HOSTILE, HOSTILE, HOSTILE
    summary.prospects.add(evil, HOSTILE, poisoned(Prospect(choice)))
    holds_hostile(checked(sessions_page(summary, met(1))))


def test_the_table_of_sessions_has_a_bound_and_says_so() -> None:
    found = [made.session(first_frame=number) for number in range(40)] + [WEAK]
    text = checked(sessions_page(summed(*found, rows=10), met(41))).text
    assert "31 sessions more are left off" in text


def test_sums_of_parts_make_the_page_of_the_whole() -> None:
    chance = random.Random(1)
    found = [
        made.session(
            first_frame=number,
            start=1_700_000_000 + chance.random() * 10 ** chance.randint(0, 8),
            client=Endpoint(f"10.0.0.{number % 250}", number),
            version_name=chance.choice(["TLS 1.2", "TLS 1.3", None]),
            outcome=chance.choice(["established", "reset"]),
            weak=chance.choice([[], [], ["RC4 (RFC 7465)"]]),
        )
        for number in range(1500)
    ]
    whole = sessions_page(summed(*found, rows=50), met(1500))
    for parts in (2, 3, 7):
        merged = Summary(50)
        for part in reversed(range(parts)):
            merged.merge(pickle.loads(pickle.dumps(summed(*found[part::parts], rows=50))))
        assert sessions_page(merged, met(1500)) == whole


@given(st.lists(st.floats(0, 2**40), max_size=60), st.integers(1, 40), st.integers(1, 5))
def test_a_timeline_keeps_its_bounds_and_its_sums(starts: list[float], most: int, parts: int) -> None:
    lines = [Timeline() for _ in range(parts)]
    whole = Timeline()
    for number, start in enumerate(starts):
        for line in (whole, lines[number % parts]):
            line.add(start, weak=number % 3 == 0, failed=number % 2 == 0)
    merged = Timeline()
    for line in lines:
        merged.merge(line)
    assert (merged.power, merged.columns) == (whole.power, whole.columns)
    width, columns = whole.shown(most)
    assert len(columns) <= most
    assert sum(sessions for _, sessions, _, _ in columns) == len(starts)
    assert all(weak + failed <= sessions for _, sessions, weak, failed in columns)
    for start in starts:
        assert columns[0][0] <= start < columns[-1][0] + width


def test_a_timeline_gets_coarser_and_takes_no_infinite_times() -> None:
    line = Timeline()
    for start in (float("inf"), float("nan")):
        line.add(start, weak=False, failed=False)
    assert line.shown(10) == (0.0, [])
    for number in range(5000):
        line.add(1_700_000_000 + number * 7.5, weak=False, failed=False)
    assert len(line.columns) <= 512
    assert sum(sessions for _, sessions, _, _ in line.shown(64)[1]) == 5000


def test_the_foremost_sessions_are_the_same_in_any_order() -> None:
    found = [made.session(first_frame=number, weak=["x"] * (number % 7 == 0)) for number in range(300)]
    expected = sorted(found, key=lambda one: (not one.weak, one.first_frame))[:20]
    for seed in range(3):
        random.Random(seed).shuffle(found)
        kept = Foremost(20)
        for one in found:
            kept.add(one)
        assert [row.frame for row in kept.rows()] == [one.first_frame for one in expected]
    none = Foremost(0)
    none.add(WEAK)
    assert none.rows() == []


# Pictures.

NOW = "2026-11-01T00:00:00Z"


@pytest.mark.parametrize(
    ("first", "last", "kind", "said"),
    [
        ("2026-01-01", "2027-01-01", "strong", "61 days left"),
        ("2026-01-01", "2026-11-15", "legacy", "14 days left"),
        ("2025-01-01", "2026-10-31", "weak", "expired 1 days ago"),
        ("2027-01-01", "2028-01-01", "weak", "not yet valid"),
    ],
)
def test_a_bar_says_how_long_a_certificate_is_good(first: str, last: str, kind: str, said: str) -> None:
    line = pictures.validity([(f"{first}T00:00:00Z", f"{last}T00:00:00Z")], NOW)
    assert line is not None
    (bar,) = line.bars
    assert bar is not None
    assert (bar.kind, bar.said) == (kind, f"{first} to {last}, {said}")
    assert (bar.start <= line.now <= bar.start + bar.width) == (kind != "weak")


def test_bars_of_roots_end_at_the_edge_and_what_says_nothing_has_none() -> None:
    spans = [
        ("2026-10-01T00:00:00Z", "2026-12-01T00:00:00Z"),
        ("1990-01-01T00:00:00Z", "2099-01-01T00:00:00Z"),
        (None, "x"),
    ]
    line = pictures.validity(spans, NOW)
    assert line is not None
    leaf, root, none = line.bars
    assert leaf is not None
    assert root is not None
    assert (root.start, root.width, none) == (0, 100, None)
    assert 5 < leaf.start < leaf.start + leaf.width < 95
    assert pictures.validity([(None, None)], NOW) is None
    assert pictures.validity([], NOW) is None
    assert pictures.validity(spans, "never") is None


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50)), max_size=96))
def test_columns_stand_on_the_ground_and_fit(counts: list[tuple[int, int, int]]) -> None:
    times = [(float(at), fine + weak + failed, weak, failed) for at, (fine, weak, failed) in enumerate(counts)]
    for column in pictures.columns(times):
        assert 0 <= column.x <= column.x + column.width <= 100.01
        below = float(pictures.HEIGHT)
        for _, top, height in column.stack:
            assert top + height == pytest.approx(below, abs=0.11)
            below = top
        assert below >= -3  # a pixel is the least a session gets


def test_a_strip_has_a_square_for_each_suite_in_rows_that_fit_a_narrow_screen() -> None:
    strip = pictures.strip([("weak", str(number)) for number in range(77)])
    assert len({(cell.x, cell.y) for cell in strip.cells}) == 77
    assert strip.width <= 320
    assert all(cell.x < strip.width and cell.y < strip.height for cell in strip.cells)
    assert pictures.strip([]).cells == ()


def test_every_version_of_the_registry_has_a_colour_and_unknown_ones_share_a_name() -> None:
    found = [made.session(version_name=f"0x{number:04X}", suite_name=f"0x{number:04X}") for number in range(300)]
    summary = summed(*found, made.session(version_name="SSLv2", suite_name="SSL_CK_RC4_128_WITH_MD5"))
    assert summary.versions == {"unregistered": 300, "SSLv2": 1}
    (versions, suites, _) = sessions.captures(summary, met(301), interrupted=False).bars
    assert [(part.name, part.kind) for part in versions.parts] == [("unregistered", "none"), ("SSLv2", "weak")]
    assert [(part.name, part.kind) for part in suites.parts] == [
        ("unregistered", "none"),
        ("SSL_CK_RC4_128_WITH_MD5", "weak"),
    ]
