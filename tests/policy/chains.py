"""DOOR: the chains of the matrix by name; a new one is one row of CHAINS."""

from __future__ import annotations

import datetime as dt
import ipaddress
from functools import cache
from typing import TYPE_CHECKING

from tests.certificates.made import NULL, der
from tests.certificates.mint import (
    ANY_PURPOSE,
    CLIENT_AUTH,
    SERVER_AUTH,
    access,
    authority,
    constraints,
    critical,
    dns,
    names,
    purposes,
)
from tests.policy.minting import (
    DAY,
    HOST,
    HOUR,
    NOW,
    SECOND,
    Chain,
    ca,
    chain,
    leaf,
    middle,
    own,
    pss_spki,
    root,
    scts,
    time,
    under,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SAN, EKU = "2.5.29.17", "2.5.29.37"
YEAR = 365 * DAY
YESTERDAY = time(NOW - DAY)


def issued(year: int, month: int, day: int, length: dt.timedelta) -> Callable[[], Chain]:
    """A leaf of that day, with SCTs enough for any length."""
    return leaf(scts(4), age=NOW - dt.datetime(year, month, day, tzinfo=dt.UTC), length=length)


def lasting(length: dt.timedelta, count: int = 4) -> Callable[[], Chain]:
    """A leaf of last month, with so many SCTs."""
    return leaf(scts(count), length=length)


def by_pss_key() -> Chain:
    odd = ca("pss", root(), kind="rsa", spki=pss_spki("pss"))
    return chain(own(odd, signer="rsa-pss"), odd)


def ed25519_throughout() -> Chain:
    odd = ca("ed25519", root(), kind="ed25519")
    return chain(own(odd, kind="ed25519"), odd)


def sha1_root() -> Chain:
    top = ca("old root", kind="rsa", signer="rsa-sha1")
    between = ca("middle of old", top)
    return Chain((own(between), between, top), top)


def crossed(end: str) -> Chain:
    """An intermediate certified by two roots, that of one nobody knows first, until ``end``."""
    first = ca("crossed", ca("unknown root"), end=end)
    second = ca("crossed", root())
    return chain(own(second), first, second)


def bridged(*, old_known: bool) -> Chain:
    """A new root that the usual one vouches for, sent to those who know one of them."""
    new = ca("new root")
    between = ca("middle of new", new)
    return Chain((own(between), between, ca("new root", root())), root() if old_known else new)


def two_deep(*order: int) -> Chain:
    upper = ca("upper", root())
    lower = ca("lower", upper)
    return chain(own(lower), *((lower, upper)[at] for at in order))


def too_deep() -> Chain:
    upper = ca("limited", root(), more=(authority(0),))
    lower = ca("one too many", upper)
    return chain(own(lower), lower, upper)


def no_authority() -> Chain:
    """Issued with a server's certificate."""
    issuer = own(middle(), subject="issuer")
    return chain(own(issuer), issuer, middle())


def stranger() -> Chain:
    """A chain with its root, which is not the one that clients know."""
    top = ca("unknown root")
    between = ca("middle of unknown", top)
    return chain(own(between), between, top)


def private() -> Chain:
    """A chain without its root, which nobody knows."""
    between = ca("middle of unknown", ca("unknown root"))
    return chain(own(between), between)


CHAINS: dict[str, Callable[[], Chain]] = {
    "sound": leaf(),
    # Keys.
    "rsa": leaf(kind="rsa"),
    "rsa-1024": leaf(kind="rsa1024"),
    "rsa-2047": leaf(kind="rsa2047"),
    "p384": leaf(kind="p384"),
    "p521": leaf(kind="p521"),
    "ed25519": leaf(kind="ed25519"),
    "ed448": leaf(kind="ed448"),
    "pss-key": lambda: Chain((own(middle(), kind="rsa", spki=pss_spki("mdm")), middle()), root(), pss=True),
    "below-rsa-1024": under(kind="rsa1024"),
    "below-rsa-2047": under(kind="rsa2047"),
    "below-rsa-2048": under(kind="rsa"),
    "below-p224": under(kind="p224"),
    # Signatures.
    "rsa-sha384": under("rsa-sha384", kind="rsa"),
    "rsa-sha512": under("rsa-sha512", kind="rsa"),
    "rsa-pss": under("rsa-pss", kind="rsa"),
    "by-pss-key": by_pss_key,
    "ecdsa-sha384": under("ecdsa-sha384", kind="p384"),
    "ecdsa-sha512": under("ecdsa-sha512"),
    "p521-sha512": under("ecdsa-sha512", kind="p521"),
    "by-ed25519": under(kind="ed25519"),
    "ed25519-throughout": ed25519_throughout,
    "rsa-sha1": under("rsa-sha1", kind="rsa"),
    "ecdsa-sha1": under("ecdsa-sha1"),
    "rsa-md5": under("rsa-md5", kind="rsa"),
    "middle-sha1": under(signer="ecdsa-sha1"),
    "root-sha1": sha1_root,
    # Validity.
    "expired": leaf(age=91 * DAY),
    "not-yet": leaf(age=-DAY),
    "middle-expired": under(end=YESTERDAY),
    "middle-not-yet": under(start=time(NOW + DAY)),
    "200-days": lasting(200 * DAY, 3),
    "398-days": lasting(398 * DAY),
    "398-days-and-a-second": lasting(398 * DAY + SECOND),
    "399-days": lasting(399 * DAY),
    "825-days": lasting(825 * DAY),
    "825-days-and-half-an-hour": lasting(825 * DAY + HOUR / 2),
    "825-days-and-two-hours": lasting(825 * DAY + 2 * HOUR),
    "826-days": lasting(826 * DAY),
    "ten-years-of-june-2019": issued(2019, 6, 1, 10 * YEAR),
    "ten-years-of-july-2019": issued(2019, 7, 2, 10 * YEAR),
    "seven-years-of-august-2020": issued(2020, 8, 1, 7 * YEAR),
    # SCTs.
    "no-scts": leaf(without=("1.3.6.1.4.1.11129.2.4.2",)),
    "one-sct": leaf(scts(1)),
    "two-scts-200-days": lasting(200 * DAY, 2),
    # Names.
    "no-san": leaf(subject=HOST, without=(SAN,)),
    "common-name-only": leaf(dns("other.example"), subject=HOST),
    "wrong-name": leaf(dns("www.corp.example")),
    "many-names": leaf(dns("a.example", "b.example", HOST)),
    "upper-case": leaf(dns("MDM.Corp.EXAMPLE")),
    "wildcard": leaf(dns("*.corp.example")),
    "wildcard-in-part": leaf(dns("m*.corp.example")),
    "wildcard-inside": leaf(dns("mdm.*.example")),
    "wildcard-alone": leaf(dns("*")),
    "idn": leaf(dns("xn--bcher-kva.example")),
    "address": leaf(names(der(0x87, ipaddress.ip_address("127.0.0.1").packed))),
    "address-as-name": leaf(dns("127.0.0.1")),
    # Purposes.
    "no-eku": leaf(without=(EKU,)),
    "eku-of-a-client": leaf(purposes(CLIENT_AUTH)),
    "eku-of-anything": leaf(purposes(ANY_PURPOSE)),
    "eku-of-both": leaf(purposes(SERVER_AUTH, CLIENT_AUTH)),
    # The chain.
    "leaf-only": lambda: chain(own(middle())),
    "leaf-only-with-a-hint": lambda: chain(own(middle(), access(issuers="http://ca.example/middle.cer"))),
    "two-deep": lambda: two_deep(0, 1),
    "two-deep-in-disorder": lambda: two_deep(1, 0),
    "two-deep-upper-missing": lambda: two_deep(0),
    "too-deep": too_deep,
    "root-sent": lambda: chain(own(middle()), middle(), root()),
    "middle-twice": lambda: chain(own(middle()), middle(), middle()),
    "one-too-many": lambda: chain(own(middle()), middle(), ca("unrelated")),
    "crossed": lambda: crossed(time(NOW + YEAR)),
    "crossed-expired": lambda: crossed(YESTERDAY),
    "bridged-to-old": lambda: bridged(old_known=True),
    "bridged-to-new": lambda: bridged(old_known=False),
    "stranger": stranger,
    "private": private,
    "self-signed": lambda: chain(own(None)),
    "signature-spoilt": leaf(spoilt=True),
    "issuer-is-no-ca": no_authority,
    "not-permitted": under(more=(constraints(permitted=(der(0x82, b"other.example"),)),)),
    "critical-and-unknown": leaf(critical("1.2.3.4.5.6", NULL)),
}


@cache
def made(name: str) -> Chain:
    """The chain of that name, the same whenever it is asked for."""
    return CHAINS[name]()
