"""``tlswire live``: from an interface that is made up, and from loopback where capturing is permitted."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.report.made import ALERT, conversation, hello_message, record
from tlswire.capture import live
from tlswire.cli.live import Stop
from tlswire.errors import UsageError
from tlswire.lab.server import running
from tlswire.scan.pacing import Limits
from tlswire.scan.scanner import Options, scan_host

from .run import one_line, refused, run

if TYPE_CHECKING:
    from collections.abc import Callable

pytest.importorskip("scapy")

CONVERSATION = conversation("10.0.0.1", "192.0.2.1", 443, (0, record(22, hello_message())), (1, ALERT))


class Ether:
    """A layer of scapy, by name."""


class Socket:
    """What scapy opens: gives ``frames``, then what ``then`` does."""

    def __init__(self, frames: list[bytes], layer: type = Ether, then: Callable[[], Any] = lambda: None) -> None:
        self.frames = list(frames)
        self.layer = layer
        self.then = then
        self.closed = 0
        self.ins = SimpleNamespace(getsockopt=lambda *_: bytes(8))

    def select(self, sockets: list[Socket], _: float) -> list[Socket]:
        if not self.frames:
            self.then()
            time.sleep(0.01)
        return sockets if self.frames else []

    def recv_raw(self, _: int) -> tuple[type, bytes, float]:
        return self.layer, self.frames.pop(0), 1_700_000_000.5

    def close(self) -> None:
        self.closed += 1


def interface_of(monkeypatch: pytest.MonkeyPatch, opened: Any) -> None:
    """An interface test0 that opens as this socket, or fails to."""

    def listen(iface: str) -> Any:
        assert iface == "test0"
        if isinstance(opened, Exception):
            raise opened
        return opened

    monkeypatch.setattr(live, "interface_names", lambda: ["lo", "test0"])
    monkeypatch.setattr(live, "_scapy", lambda: SimpleNamespace(bufsize=0, L2listen=listen))
    monkeypatch.setattr("tlswire.cli.live.interface_names", live.interface_names)


@pytest.fixture
def interface(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    return partial(interface_of, monkeypatch)


def test_sessions_are_written_as_they_come(interface: Callable[[Any], None]) -> None:
    socket = Socket(CONVERSATION)
    interface(socket)
    outcome = run("live", "test0", "--max-sessions", "1", "--jsonl", "-")
    assert (outcome.code, outcome.err) == (0, "")
    (item,) = map(json.loads, outcome.lines)
    assert (item["capture"], item["start"], item["outcome"]) == ("test0", 1_700_000_000.5, "alert")
    assert socket.closed == 1


def test_sessions_are_judged_as_they_come(interface: Callable[[Any], None]) -> None:
    interface(Socket(CONVERSATION))
    options = ("--policy", "apple-mdm-27", "--what-if", "apple-mdm-27", "--fail-on", "policy")
    outcome = run("live", "test0", "--max-sessions", "1", *options, "--sessions")
    text = outcome.raw.decode()
    assert outcome.code == 0
    assert "Policy apple-mdm-27, 1 session\n  1 unknown\n" in text
    assert "1 session: 1 could connect" in text


def test_time_ends_it_with_the_report(interface: Callable[[Any], None]) -> None:
    interface(Socket(CONVERSATION[:4]))
    outcome = run("live", "test0", "--seconds", "0.2", "--sessions")
    text = outcome.raw.decode()
    assert outcome.code == 0
    assert "no answer" in text
    assert "\ntest0\n  4 frames, " in text


def test_only_wanted_sessions_count(interface: Callable[[Any], None]) -> None:
    other = conversation("10.0.0.2", "192.0.2.1", 444, (0, record(22, hello_message(b"other.org"))), (1, ALERT))
    interface(Socket([*CONVERSATION, *other]))
    outcome = run("live", "test0", "--max-sessions", "1", "--server-name", "*.org", "--jsonl", "-")
    assert [json.loads(line)["server_name"] for line in outcome.lines] == ["other.org"]


def test_ctrl_c_ends_it_with_the_report(interface: Callable[[Any], None]) -> None:
    before = signal.getsignal(signal.SIGINT)
    interface(Socket(CONVERSATION, then=lambda: signal.raise_signal(signal.SIGINT)))
    outcome = run("live", "test0", "--fail-on", "refused")
    assert outcome.code == 1
    assert "1 session: 1 refused" in outcome.raw.decode()
    assert outcome.err == ""
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interface_that_goes_away_is_damage(interface: Callable[[Any], None]) -> None:
    def gone() -> None:
        raise OSError(100, "Network is down")

    interface(Socket(CONVERSATION, then=gone))
    outcome = run("live", "test0")
    assert outcome.code == 3
    assert "  Network is down, after frame 8\n" in outcome.raw.decode()


def test_lost_packets_are_told(interface: Callable[[Any], None]) -> None:
    socket = Socket(CONVERSATION)
    socket.ins = SimpleNamespace(getsockopt=lambda *_: (50).to_bytes(4, sys.byteorder) + (7).to_bytes(4, sys.byteorder))
    interface(socket)
    outcome = run("live", "test0", "--seconds", "0.1", "--jsonl", "-")
    assert outcome.code == 3
    assert "7 packets were dropped" in one_line(outcome)


@pytest.mark.parametrize(
    ("opened", "says"),
    [
        (
            PermissionError(1, "Operation not permitted"),
            "test0: capturing is not permitted: run this with sudo, or record",
        ),
        (OSError("Permission denied: could not open /dev/bpf0"), "capturing is not permitted"),
        (OSError(19, "No such\n\x1bdevice"), "test0: cannot be opened: [Errno 19] No such \\x1bdevice"),
        (Socket([b"x"], type("Weird", (), {})), "its link layer Weird is none that can be read here"),
    ],
)
def test_interfaces_that_cannot_be_read(interface: Callable[[Any], None], opened: Any, says: str) -> None:
    interface(opened)
    assert says in refused(run("live", "test0"))


def test_unknown_interfaces_name_the_known(interface: Callable[[Any], None]) -> None:
    interface(Socket([]))
    assert refused(run("live", "evil\x1b")) == r"'evil\x1b': no such interface; there are lo, test0"
    assert refused(run("live")) == "interface: none given; there are lo, test0"


def test_without_scapy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scapy.arch", None)
    assert "pip install 'tlswire[live]'" in refused(run("live", "lo"))


@pytest.mark.parametrize(
    "options", [["--seconds", "0"], ["--seconds", "nan"], ["--seconds", "inf"], ["--max-sessions", "0"]]
)
def test_bounds_are_checked(options: list[str]) -> None:
    assert refused(run("live", "lo", *options))


def test_stop_says_its_bounds() -> None:
    assert str(Stop(2.5, 1)) == " for 2.5 seconds or 1 session"
    assert str(Stop(None, 2)) == " for 2 sessions"
    assert not Stop(None, 1)()


def test_every_link_layer_is_one_of_scapys() -> None:
    """The names are those of scapy's classes, which we do not import where they are used."""
    conf = live._scapy()
    layers = {layer.__name__ for table in (conf.l2types, conf.l3types) for layer in table.num2layer.values()}
    assert layers >= {"Ether", "IP", "IPv6", "CookedLinux"}
    for number, layer in conf.l2types.num2layer.items():
        if layer.__name__ == "Ether":
            assert live._linktype("x", layer) == 1, number


def test_packets_of_loopback_are_seen() -> None:
    if "lo" not in live.interface_names():
        pytest.skip("there is no interface lo")
    ended = threading.Event()
    try:
        capture = live.LiveCapture("lo", ended.is_set)
    except UsageError as error:
        pytest.skip(f"capturing: {error}")

    found = []
    with capture, running("modern") as lab:
        port = lab.port.to_bytes(2, "big")

        def scan() -> None:
            try:
                scan_host("127.0.0.1", lab.port, Options(versions=(0x0304,), limits=Limits(timeout=2)))
            finally:
                ended.set()

        thread = threading.Thread(target=scan)
        thread.start()
        for frame, high, _, buffer, start, end, interface in capture.packets():
            data = buffer[start:end]
            assert (interface.linktype, interface.name) == (1, "lo")
            assert abs(interface.time(high, 0) - time.time()) < 3600
            found.append((frame, data[34:36] == port or data[36:38] == port))
        thread.join()
    assert [frame for frame, _ in found] == list(range(1, len(found) + 1))
    assert any(ours for _, ours in found)
