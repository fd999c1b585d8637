from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.made import UNCHOSEN, hello, session
from tlswire.capture.filters import best_offer, session_filter
from tlswire.errors import UsageError
from tlswire.results.session import Endpoint

if TYPE_CHECKING:
    from tlswire.results.session import Session

PLAIN = session()
NAMELESS = session(server_name=None, server=Endpoint("2001:db8::1", 8443), version="0xFEFD")
WEAK = session(weak=["RC4 (RFC 7465)"], version="0x0301")
UNANSWERED = session(**UNCHOSEN, outcome="unanswered")
DRAFT = session(version="0x7F1C")
SESSIONS = {"plain": PLAIN, "nameless": NAMELESS, "weak": WEAK, "unanswered": UNANSWERED, "draft": DRAFT}
NAMED = {"plain", "weak", "unanswered", "draft"}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, set(SESSIONS)),
        ({"names": ["*.EXAMPLE.com"]}, NAMED),
        ({"names": ["WWW.example.com."]}, NAMED),
        ({"names": ["example.com"]}, set()),
        ({"names": ["nope", "www*"]}, NAMED),
        ({"names": ["*"]}, set(SESSIONS)),
        ({"names": [""]}, {"nameless"}),
        ({"hosts": ["192.0.2.0/24"]}, NAMED),
        ({"hosts": ["10.0.0.1"]}, set(SESSIONS)),
        ({"hosts": ["10.0.0.2"]}, set()),
        ({"hosts": ["[2001:db8::1]"]}, {"nameless"}),
        ({"hosts": ["2001:db8::ffff/64", "192.0.2.9"]}, {"nameless"}),
        ({"ports": ["443"]}, NAMED),
        ({"ports": ["1-442,8000-8999"]}, {"nameless"}),
        ({"ports": ["80", "443 , 444"]}, NAMED),
        ({"versions": "TLS1.2"}, {"plain"}),
        ({"versions": "1.0,dtls1.2"}, {"weak", "nameless"}),
        ({"versions": "TLS 1.3"}, {"unanswered", "draft"}),
        ({"versions": "0x0301"}, {"weak"}),
        ({"versions": "9"}, set()),
        ({"weak": True}, {"weak"}),
        ({"weak": True, "names": ["*.org"]}, set()),
        ({"weak": True, "names": ["*.com"], "ports": ["443"], "versions": "1.0"}, {"weak"}),
    ],
)
def test_conditions(options: dict[str, Any], names: set[str]) -> None:
    wanted = pickle.loads(pickle.dumps(session_filter(**options)))
    assert {name for name, value in SESSIONS.items() if wanted(value)} == names
    assert bool(wanted) == bool(options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"hosts": ["www.example.com"]}, "--host: 'www.example.com': is neither an address nor a block"),
        ({"hosts": ["10.0.0.0/33"]}, "--host"),
        ({"ports": ["https"]}, "--port: 'https': is neither a port nor a range"),
        ({"ports": ["9-8"]}, "--port: '9-8'"),
        ({"ports": ["65536"]}, "--port: '65536'"),
        ({"ports": ["-1"]}, "--port: '-1'"),
        ({"ports": ["\u0664\u0664\u0663"]}, "--port"),
        ({"ports": [","]}, "--port: ',': names nothing"),
        ({"versions": "TLS9"}, "--version: "),
        ({"versions": ""}, "--version: '': names nothing"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        session_filter(**options)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("versions", "legacy", "best"),
    [
        (["0x0303", "0xFAFA", "0x0304"], "0x0303", "0x0304"),
        ([], "0x0301", "0x0301"),
        (["0x4A4A"], "0x0303", "0x0303"),
        (["0xFEFD", "0xFEFC", "0xFEFF"], "0xFEFD", "0xFEFC"),
    ],
)
def test_the_best_offer(versions: list[str], legacy: str, best: str) -> None:
    assert best_offer([hello(versions=versions, legacy_version=legacy)]) == best


def test_without_a_hello_nothing_is_offered() -> None:
    empty: Session = session(**UNCHOSEN, hellos=[])
    assert best_offer(empty.hellos) is None
    assert not session_filter(versions="1.3")(empty)
