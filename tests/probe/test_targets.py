from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlswire.errors import UsageError
from tlswire.probe.targets import HostPort, parse_target, read_targets

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("example.com", "example.com", 443),
        ("example.com:8443", "example.com", 8443),
        ("EXAMPLE.com.", "EXAMPLE.com.", 443),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:8443", "::1", 8443),
        ("[::1]", "::1", 443),
        ("::1", "::1", 443),
        ("2001:DB8::1", "2001:db8::1", 443),
        ("bücher.example", "xn--bcher-kva.example", 443),
        ("_sip.example.com", "_sip.example.com", 443),
    ],
)
def test_targets(text: str, host: str, port: int) -> None:
    assert list(parse_target(text)) == [HostPort(host, port)]


@pytest.mark.parametrize(
    ("text", "count"), [("127.0.0.0/30", 2), ("127.0.0.0/30:8443", 2), ("127.0.0.1/32", 1), ("2001:db8::/126", 3)]
)
def test_blocks(text: str, count: int) -> None:
    assert len(list(parse_target(text))) == count


@pytest.mark.parametrize(
    "text",
    [
        *("", ":443", "a b", "host:", "host:0", "host:65536", "host:x", "host:-1", "host:\uff11", "256.1.1.1", "1.2.3"),
        *("[::1", "[::1]x", "[::g]", "10.0.0.0/33", "10.0.0.0/8", "::/64", "x/24", "a..b", "-" * 64, "\x1b[31m"),
    ],
)
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(UsageError):
        list(parse_target(text))


@given(st.text(max_size=60) | st.text(alphabet="0123456789.:/[]a-", max_size=30))
def test_any_text_is_a_target_or_a_usage_error(text: str) -> None:
    try:
        found = [target for target, _ in zip(parse_target(text), range(5), strict=False)]
    except UsageError:
        return
    assert all(0 < target.port < 65536 and target.host.isascii() for target in found)


def test_a_file_of_targets(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text(
        "\ufeff# ours\na.example\n\n b.example:8443 # the other\n127.0.0.0/30\na.example\n", encoding="utf-8"
    )
    assert [target.host for target in read_targets(path)] == ["a.example", "b.example", "127.0.0.1", "127.0.0.2"]


@pytest.mark.parametrize("content", [b"", b"# only\n", b"\x00\x01", b"\xff\xfe\x00", b"a.example\nb.example:x\n"])
def test_files_that_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "hosts"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="hosts") as caught:
        read_targets(path)
    if content.startswith(b"a.example"):
        assert str(caught.value).startswith(f"{path}:2: ")
