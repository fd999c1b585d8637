"""Inventories: what is right becomes jobs, what is wrong is told with file and line."""

from __future__ import annotations

import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from tests.check.plans import plan
from tlswire.check.inventory import COLUMNS, MOST_FAULTS, ROLES, Inventory
from tlswire.errors import UsageError
from tlswire.lab.keys import certificate

if TYPE_CHECKING:
    from pathlib import Path

    from tlswire.check.runner import Job


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inventories")


def read(folder: Path, text: str | bytes, suffix: str = "csv", **fields: Any) -> Inventory:
    path = folder / f"endpoints.{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    made = plan(**fields)
    return Inventory(path, made, [made.policy], usual_port=443)


def jobs(folder: Path, text: str | bytes, suffix: str = "csv") -> list[Job]:
    found = read(folder, text, suffix)
    assert found.faults == []
    return list(found.jobs())


def faults(folder: Path, text: str | bytes, suffix: str = "csv") -> list[str]:
    found = read(folder, text, suffix)
    return [str(fault).removeprefix(f"{folder}/") for fault in found.faults]


CSV = """\
# what devices speak to
Host;Port;Role;Environment;Name;Anchor;STARTTLS;Proxy;Server-Name;Path;Policy

MDM.corp.example;;mdm;production;"The MDM; main";;;;;;
mail.corp.example:587;;;;;;smtp;;;;
2001:db8::1;8443;ddm;staging;;a.pem|b.pem;;socks5://proxy.corp.example:1080;mdm.corp.example;/ddm;apple-ats|apple-mdm-27
10.0.0.1;;checkin;;;;;;-;;
scep.corp.example;;scep;production;;;;;;;
"""
TOML = """\
role = "mdm"
environment = "production"

[[endpoint]]
host = "MDM.corp.example"
name = "The MDM; main"

[[endpoint]] # mail
host = "mail.corp.example:587"
starttls = "smtp"
role = ""
environment = ""

  [[ endpoint ]]
host = "2001:db8::1"
port = 8443
role = "ddm"
environment = "staging"
anchor = ["a.pem", "b.pem"]
proxy = "socks5://proxy.corp.example:1080"
server_name = "mdm.corp.example"
path = "/ddm"
policy = ["apple-ats", "apple-mdm-27"]

[[endpoint]]
host = "10.0.0.1"
role = "checkin"
environment = ""
server_name = "-"

[[endpoint]]
host = "scep.corp.example"
role = "scep"
"""


@pytest.mark.parametrize(
    ("text", "suffix"), [(CSV, "csv"), (TOML, "toml"), (TOML, "txt"), (CSV.replace("\n", "\r\n"), "")]
)
def test_what_a_file_says_becomes_jobs(text: str, suffix: str, folder: Path) -> None:
    for name, kind in (("a.pem", "rsa"), ("b.pem", "ec")):
        (folder / name).write_bytes(load_der_x509_certificate(certificate(kind)).public_bytes(Encoding.PEM))
    first, mail, ats, mdm, bare, scep = jobs(folder, text, suffix)
    assert [job.number for job in (first, mail, ats, mdm, bare, scep)] == [0, 1, 2, 3, 4, 5]
    assert (first.host, first.port, first.endpoint.role, first.endpoint.environment) == (
        "mdm.corp.example",
        443,
        "mdm",
        "production",
    )
    assert first.endpoint.name == "The MDM; main"
    assert (mail.port, mail.plan.starttls, mail.endpoint.role) == (587, "smtp", None)
    assert (ats.host, ats.port, ats.plan.server_name, ats.plan.path) == (
        "2001:db8::1",
        8443,
        "mdm.corp.example",
        "/ddm",
    )
    assert str(ats.plan.proxy) == "socks5://proxy.corp.example:1080"
    assert {name: len(anchors) for name, anchors in ats.plan.given.items()} == {"a.pem": 1, "b.pem": 1}
    assert [job.plan.policy.name for job in (ats, mdm)] == ["apple-ats", "apple-mdm-27"]
    assert bare.plan.server_name == ""
    assert scep.exempt.endswith("(KB 126655)")
    assert not first.exempt
    assert len({job.key for job in (first, mail, ats, mdm, bare, scep)}) == 6


@pytest.mark.parametrize(
    ("text", "suffix", "told", "left"),
    [
        ("host,role\na.example,mdmm\nb.example,mdm\n", "csv", "2: role 'mdmm': is none of mdm, checkin,", 1),
        ("host\na.example\nA.example\nb.example\n", "csv", "3: A.example: is the same as line 2", 2),
        ("host,owner\na.example,me\n", "csv", "1: 'owner': is not known and left out; known are host,", 1),
        ("host,anchor\na.example,endpoints.csv\nb.example,\n", "csv", "2: {}/endpoints.csv: holds no certificate", 1),
        ("host,anchor\na.example,none.pem\nb.example,\n", "csv", "2: {}/none.pem: cannot be read: No such", 1),
        ("host,port\na.example,70000\nb.example,\n", "csv", "2: 'a.example:70000': '70000' is no port", 1),
        ("host\na b\nb.example\n", "csv", "2: 'a b': is no host name", 1),
        ("host\n10.0.0.0/24\nb.example\n", "csv", "2: '10.0.0.0/24': is a block of addresses", 1),
        ("host,port\n,443\nb.example,\n", "csv", "2: host: is missing", 1),
        ('host,name\na.example,"x\nb.example,"y"\n', "csv", "2: line: is no CSV", 1),
        ("host\na.example,1\nb.example\n", "csv", "2: line: has 2 fields, but there are at most 1 columns", 1),
        (b"host,name\na.example,\xff\nb.example,x\n", "csv", "2: line: is not UTF-8", 1),
        ("host\n" + "a" * 70000 + "\nb.example\n", "csv", "2: line: is longer than 65536 bytes", 1),
        ("host,starttls\na.example,smtps\nb.example,\n", "csv", "2: starttls 'smtps': is none of smtp,", 1),
        ("host,proxy\na.example,ftp://x:1\nb.example,\n", "csv", "2: proxy: write http://,", 1),
        ("host,path\na.example,x\nb.example,\n", "csv", "2: path 'x': is none: write /path", 1),
        ("host,policy\na.example,mozilla\nb.example,\n", "csv", "2: policy 'mozilla': 'mozilla': is no policy", 1),
        (f"host,name\na.example,{'x' * 201}\nb.example,\n", "csv", "2: environment or name: is longer than 200", 1),
        (
            '[[endpoint]]\nhost = "a.example\n[[endpoint]]\nhost = "b.example"\n',
            "toml",
            "2: endpoint: is no TOML: Ill",
            1,
        ),
        ('[[endpoint]]\nport = "443"\n[[endpoint]]\nhost = "b.example"\n', "toml", "1: host: is missing", 1),
        ('[[endpoint]]\nhost = 4\n[[endpoint]]\nhost = "b.example"\n', "toml", "1: host: is no text", 1),
        (
            '[[endpoint]]\nhost = "b.example"\nport = 443.5\n[[endpoint]]\nhost="c.example"',
            "toml",
            "1: port: is no numb",
            1,
        ),
        ('[[endpoint]]\nhost = "b.example"\nrolle = "mdm"\n', "toml", "1: 'rolle': is not known and left out", 1),
        ('ancor = "x"\n[[endpoint]]\nhost = "b.example"\n', "toml", "1: 'ancor': is not known and left out", 1),
    ],
)
def test_a_bad_line_is_named_and_the_rest_is_done(
    text: str | bytes, suffix: str, told: str, left: int, folder: Path
) -> None:
    (fault,) = faults(folder, text, suffix)
    assert fault.startswith(f"endpoints.{suffix}:{told.format(folder)}")
    assert read(folder, text, suffix).count == left


@pytest.mark.parametrize(
    ("text", "suffix", "told"),
    [
        ("", "csv", "no endpoint can be read from it"),
        ("hosts\na.example\n", "csv", "there is no host among them"),
        ("host,host\na.example,b\n", "csv", "column host: is there twice"),
        ("host\n\n# none\n", "csv", "no endpoint can be read from it"),
        ("host,role\na.example,x\n", "csv", "no endpoint can be read from it; the first fault: "),
        (b"\xff\xfeh\0o\0s\0t\0", "csv", "is not a text file in UTF-8"),
        ('environment = "\n[[endpoint]]\nhost = "a.example"\n', "toml", "is no TOML"),
        ("", "toml", "no endpoint can be read from it"),
    ],
)
def test_a_file_in_which_nothing_can_be_read_is_refused(
    text: str | bytes, suffix: str, told: str, folder: Path
) -> None:
    with pytest.raises(UsageError) as error:
        read(folder, text, suffix)
    assert told in str(error.value)
    assert "endpoints." in str(error.value)


def test_faults_are_bounded_and_counted(folder: Path) -> None:
    found = read(folder, "host,role\n" + "a.example,x\n" * 1000 + "b.example,mdm\n")
    assert (len(found.faults), found.fault_count, found.count) == (MOST_FAULTS, 1000, 1)


@pytest.mark.parametrize("suffix", ["csv", "toml"])
def test_a_hundred_thousand_lines_take_seconds_and_little_memory(suffix: str, folder: Path) -> None:
    if suffix == "csv":
        text = "host,role,environment\n" + "".join(f"h{at}.example,mdm,production\n" for at in range(99_999))
    else:
        text = "".join(f'[[endpoint]]\nhost = "h{at}.example"\nrole = "mdm"\n\n' for at in range(25_000))
    began = time.process_time()
    found = read(folder, text, suffix)
    assert sum(1 for _ in found.jobs()) == found.count
    assert time.process_time() - began < 20
    tracemalloc.start()
    for _, _job in zip(range(2000), found.jobs(), strict=False):
        pass
    grown = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert grown < 2_000_000


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
CELLS = st.dictionaries(st.sampled_from(COLUMNS), TEXTS | st.sampled_from(ROLES), max_size=6)


@given(text=st.binary(max_size=300), suffix=st.sampled_from(["csv", "toml"]))
def test_random_bytes_are_told_of_and_never_crash(text: bytes, suffix: str, folder: Path) -> None:
    _survives(folder, text, suffix)


@given(rows=st.lists(CELLS, max_size=5), columns=st.permutations(COLUMNS))
def test_random_cells_are_told_of_and_never_crash(rows: list[dict[str, str]], columns: list[str], folder: Path) -> None:
    lines = [",".join(columns), *(",".join(row.get(column, "") for column in columns) for row in rows)]
    _survives(folder, "\n".join(lines).encode(), "csv")


def _survives(folder: Path, text: bytes, suffix: str) -> None:
    try:
        found = read(folder, text, suffix)
    except UsageError:
        return
    assert [job.number for job in found.jobs()] == list(range(found.count))


def test_a_policy_that_changed_makes_another_inventory(folder: Path) -> None:
    text = 'name = "own"\ntitle = "Own"\nedition = "{}"\nextends = "apple-ats"\n'
    (folder / "own.toml").write_text(text.format(1))
    first = read(folder, "host,policy\na.example,own.toml\n")
    again = read(folder, "host,policy\na.example,own.toml\n")
    (folder / "own.toml").write_text(text.format(2))
    other = read(folder, "host,policy\na.example,own.toml\n")
    assert first.mark == again.mark != other.mark
    assert next(first.jobs()).plan.policy.name == "own"
