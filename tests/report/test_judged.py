"""Sums of sessions under a policy: bounded, the same in any order, and fit for a terminal whatever names say."""

from __future__ import annotations

import pickle
from random import Random

import pytest

from tlswire.report import judged, prospects
from tlswire.report.judged import Judged, verdict_text
from tlswire.report.prospects import Prospects
from tlswire.report.text import Paint
from tlswire.results import to_json
from tlswire.results.session import Endpoint, Process, Session, SessionVerdict
from tlswire.results.what_if import Choice, Prospect

from .made import HOSTILE, session

PLAIN = Paint(colour=False)
FAIL = SessionVerdict("p", "fail", ["suite-a", "ems-b"], ["version-c"], [], ["hash-d"])
CHOICE = Choice("0x0304", "TLS 1.3", "0x1301", "TLS_AES_128_GCM_SHA256", "0x001D", "x25519", None, None, True)
POLICY = ("p", "a policy", "2026")


def many(count: int) -> list[Session]:
    return [
        session(
            server_name=f"{number}.example",
            start=1_700_000_000.0 + number,
            client=Endpoint(f"10.0.0.{number % 40}", 50_000),
            process=Process(number, f"app{number % 30}"),
        )
        for number in range(count)
    ]


def verdicts(sessions: list[Session]) -> Judged:
    sums = Judged()
    for one in sessions:
        sums.add(one, FAIL)
    return sums


def clients(sessions: list[Session]) -> Prospects:
    sums = Prospects(POLICY)
    for number, one in enumerate(sessions):
        name = f"client {one.server_name}"
        prospect = Prospect(CHOICE) if number % 3 else Prospect(None, ("ems-b",) if number % 2 else ())
        sums.add(one, name, prospect)
    return sums


def told(sums: Judged | Prospects) -> list[str]:
    if isinstance(sums, Judged):
        return list(judged.section(sums, PLAIN, 110, 0))
    return [*sums.section(PLAIN, 110, 0), to_json(sums.result()).decode()]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged, "MAX_SERVERS", 20)
    monkeypatch.setattr(prospects, "MAX_CLIENTS", 20)


@pytest.mark.usefixtures("small")
def test_sums_are_bounded_and_those_of_any_order_and_any_share() -> None:
    sessions = many(300)
    other = sessions[:]
    Random(1).shuffle(other)
    whole = verdicts(sessions)
    parts = [pickle.loads(pickle.dumps(verdicts(other[at::3]))) for at in range(3)]
    sums = Judged()
    for part in parts:
        sums.merge(part)
    assert told(sums) == told(whole) == told(verdicts(other))
    assert len(list(whole.servers)) == 20
    assert whole.verdicts["fail"] == 300
    assert told(whole)[-1].endswith("more; --jsonl has all")


@pytest.mark.usefixtures("small")
def test_clients_are_bounded_and_those_of_any_share() -> None:
    sessions = many(300)
    whole = clients(sessions)
    # The prospects of a client are its own, whatever share it comes in.
    parts = [Prospects(POLICY) for _ in range(4)]
    for number, one in enumerate(sessions):
        prospect = Prospect(CHOICE) if number % 3 else Prospect(None, ("ems-b",) if number % 2 else ())
        parts[number % 4].add(one, f"client {one.server_name}", prospect)
    sums = Prospects()
    for part in reversed(parts):
        sums.merge(pickle.loads(pickle.dumps(part)))
    assert told(sums) == told(whole)
    found = whole.result()
    assert (found.sessions, len(found.clients), found.complete) == (300, 20, False)
    assert told(whole)[-2] == "  and clients that had no room here"


def test_devices_are_counted_each_with_its_last_time() -> None:
    sums = Prospects(POLICY)
    for one in many(60):
        sums.add(one, "client", Prospect(None, ("ems-b",)))
    (client,) = sums.result().clients
    assert (client.sessions, client.last_seen) == (60, "2023-11-14T22:14:19.000000Z")
    assert (len(client.devices), len(client.processes), client.more) == (16, 16, True)
    assert {device.sessions for device in client.devices} <= {1, 2}
    # A device that is kept has its last session: some come twice, the later one counts.
    again = next(device for device in client.devices if device.sessions == 2)
    number = int(again.name.rpartition(".")[2])  # of seconds after 22:13:20; the second time 40 later
    assert again.last_seen == f"2023-11-14T22:14:{number:02}.000000Z"
    text = "\n".join(sums.section(PLAIN, 110, 25))
    assert "      and at least 24 more" in text


def test_no_verdicts_no_words() -> None:
    assert list(judged.section(Judged(), PLAIN, 110, 25)) == []
    assert list(Prospects().section(PLAIN, 110, 25)) == []
    assert list(Prospects(POLICY).section(PLAIN, 110, 25)) == []


def test_verdicts_in_a_cell() -> None:
    assert verdict_text(None) == ""
    assert verdict_text(FAIL) == "fail suite-a,ems-b"
    assert verdict_text(SessionVerdict("p", "warn", [], ["version-c"], [], [])) == "warn version-c"
    assert verdict_text(SessionVerdict("p", "unknown", [], ["version-c"], ["hash-d"], [])) == "unknown"
    assert verdict_text(SessionVerdict("p", "pass", [], [], [], [])) == "pass"


def test_hostile_names_stay_text() -> None:
    evil = session(server_name=HOSTILE, process=Process(1, HOSTILE))
    sums = Judged()
    sums.add(evil, SessionVerdict(HOSTILE, "fail", [HOSTILE], [HOSTILE], [HOSTILE], []))
    outlook = Prospects((HOSTILE, HOSTILE, HOSTILE))
    outlook.add(evil, HOSTILE, Prospect(None, (HOSTILE,)))
    outlook.add(evil, HOSTILE, Prospect(CHOICE))
    for text in (*judged.section(sums, PLAIN, 110, 25), *outlook.section(PLAIN, 110, 25)):
        assert text.isprintable()
        assert len(text) <= 110


@pytest.mark.parametrize("width", [70, 110])
def test_lines_fit(width: int) -> None:
    sums = verdicts(many(100))
    outlook = clients(many(100))
    for text in (*judged.section(sums, PLAIN, width, 5), *outlook.section(PLAIN, width, 5)):
        assert len(text) <= width
