"""``tlswire replay``: the same bytes again, and findings that cannot be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.bad_servers import plain_http
from tlswire.lab.server import running

from .run import Outcome, one_line, refused, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tlswire.lab.server import Lab

NOBODY = "127.0.0.1:1"
# What is planted, and the case that shows it: plain, a second hello, segments, a valid hello that is answered wrongly.
PLANTS = {"ignores-duplicates": "E12", "retries-twice": "X01", "one-segment": "R07", "no-mark": "B02"}


def at(lab: Lab) -> str:
    return f"127.0.0.1:{lab.port}"


def folder_of(where: Path) -> Path:
    (folder,) = where.iterdir()
    return folder


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    for plant, case in PLANTS.items():
        with running(plant) as lab:
            assert run("fuzz", at(lab), "--cases", case, "--evidence", folder / plant, "--timeout", "1").code == 1
    return folder


@pytest.fixture(scope="module")
def finding(kept: Path) -> Path:
    return folder_of(kept / "ignores-duplicates") / "finding.json"


@pytest.mark.parametrize("plant", PLANTS)
def test_the_same_server_reacts_the_same_and_a_mended_one_does_not(kept: Path, plant: str) -> None:
    folder = folder_of(kept / plant)
    with running(plant) as lab:
        again = run("replay", folder, "--to", at(lab), "--timeout", "1")
    assert (again.code, again.err, again.lines[-1]) == (0, "", "the same")
    with running("strict") as lab:
        mended = run("replay", folder / "finding.json", "--to", at(lab), "--timeout", "1")
    assert (mended.code, mended.err, mended.lines[-1]) == (1, "", "differs")
    assert mended.lines[0].startswith(f"{PLANTS[plant]} ")
    assert [line.split()[0] for line in mended.lines[1:3]] == ["then", "now"]


def test_bytes_are_sent_as_they_are(finding: Path) -> None:
    sent = json.loads(finding.read_bytes())["sent"]
    with running("ignores-duplicates") as lab:
        for source in (sent, str(finding.parent / "sent.hex")):
            outcome = run("replay", source, "--to", at(lab))
            assert (outcome.code, outcome.err) == (0, "")
            assert outcome.out.startswith("now     flight (server-hello")
        assert run("replay", "150303000201", "--to", at(lab), "--timeout", "0.3").out == "now     hang\n"


def test_nobody_there_is_unreachable(finding: Path) -> None:
    for source in (str(finding), "15030300020228"):
        outcome = run("replay", source, "--to", NOBODY)
        assert (outcome.code, outcome.raw) == (4, b"")
        assert one_line(outcome) == "unreachable: Connection refused"


def test_another_protocol_differs(finding: Path) -> None:
    with plain_http() as listener:
        outcome = run("replay", finding, "--to", f"127.0.0.1:{listener.port}")
    assert outcome.code == 1
    assert "now     not-tls" in outcome.out


def _without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda value: value.pop(name)


BROKEN: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
    (_without("script"), "is no finding: Object missing required field `script`"),
    (lambda value: value.update(schema="tlswire.scan/1"), "is no finding: Invalid enum value 'tlswire.scan/1'"),
    (lambda value: value["script"].update(payload="16zz"), "is no finding: Expected `str` matching regex"),
    (lambda value: value["script"].update(cuts=[-1]), "is no finding: Expected `int` >= 0"),
    (lambda value: value["script"].update(pause=1e9), "is no finding: Expected `float` <= 60.0"),
    (lambda value: value["script"].update(pause=60, cuts=[1, 2]), "script.pause: all pauses take longer than 60 s"),
    (lambda value: value["target"].update(server_name="\u00e4..b"), r"'\xe4..b': is no host name"),
    (lambda value: value.update(case="Q9") or value["script"].update(client=True), "'Q9': no such case"),
]


@pytest.mark.parametrize(("change", "says"), BROKEN)
def test_a_broken_finding_is_one_line_with_the_file(
    change: Callable[[dict[str, Any]], Any], says: str, finding: Path, tmp_path: Path
) -> None:
    value = json.loads(finding.read_bytes())
    change(value)
    file = tmp_path / "finding.json"
    file.write_text(json.dumps(value))
    for source in (file, tmp_path):
        assert refused(run("replay", source, "--to", NOBODY)).startswith(f"{file}: {says}")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "No such file"),
        (b"{", "is no finding: Input data was truncated"),
        (b"{" * 100_000, "is no finding: "),
        (b'{"schema": "\x1b[31m"}', "is no finding: "),
        (b"{}" + b" " * (1 << 25), "is larger than 32 MiB"),
    ],
)
def test_a_folder_without_a_finding_is_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    if content:
        (tmp_path / "finding.json").write_bytes(content)
    line = refused(run("replay", tmp_path, "--to", NOBODY))
    assert line.startswith(f"{tmp_path / 'finding.json'}: ")
    assert says in line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("zz", "--to", NOBODY), "zz: is neither a file nor hex"),
        (("1603",), "Missing option '--to'"),
        (("1603", "--to", "192.0.2.1"), "192.0.2.1: is not this machine: malformed traffic goes there only with"),
    ],
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...], says: str) -> None:
    outcome: Outcome = run("replay", *arguments)
    assert refused(outcome).startswith(says)
