"""Service discovery of account-driven enrollment, as a device does it: the well-known resource of a user's domain, every
redirect on the way, and the servers it names.

The document is judged by the policy ``apple-account-discovery``; the hosts on the way become endpoints to be checked.
Sources: Apple, Implementing the OAuth2 authentication user-enrollment flow; RFC 8615; RFC 9110 section 15.4.
Must not import ``report`` or ``cli``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from tlswire.check import fetch, http
from tlswire.check.endpoint import client_hello_of, verdict_of
from tlswire.errors import UsageError
from tlswire.escape import printable
from tlswire.policy.engine import judge, overall
from tlswire.policy.facts import Facts, Subject
from tlswire.policy.shipped import shipped
from tlswire.probe.proxy import addresses, resolved
from tlswire.probe.targets import HostPort, parse_target
from tlswire.results.verdict import Endpoint, Hop, Verdict
from tlswire.scan.prober import Prober
from tlswire.scan.scanner import sni_of, way

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tlswire.check.plan import Plan
    from tlswire.policy.terms import Value
    from tlswire.probe.transport import Address

POLICY = "apple-account-discovery"
WELL_KNOWN = "/.well-known/com.apple.remotemanagement"
# Devices follow fewer (CFNetwork ends at 20 hops); nobody needs more.
MAX_HOPS = 10
MAX_SERVERS = 16
_SAFE = "/%:@!$&'()*+,;=~-._?"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be checked: where, in which role, and the path a device asks for there."""

    target: HostPort
    path: str
    role: str


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """What was found: the verdict on the document, and the endpoints a device speaks to, each once."""

    verdict: Verdict
    endpoints: list[Found]


def url_of(account: str) -> str:
    """The URL a device asks for ``user@domain``. Raises UsageError for what is no such account."""
    user, at, domain = account.rpartition("@")
    if not at or not user or not user.isprintable() or " " in account:
        raise UsageError(repr(account), "is no account: write user@example.com", "--account")
    target = next(parse_target(domain, where="--account"))
    path = f"{WELL_KNOWN}?user-identifier={quote(account, safe='@')}"
    return http.url_of(target.host, target.port, path)


async def discover(
    account: str,
    plan: Plan,
    *,
    observe: Callable[[str, Address], Callable[[Any, Any], None] | None] | None = None,
) -> Discovery:
    """Follow the discovery of an account to its end. Never raises for what servers do; UsageError for no account."""
    return await _Walk(url_of(account), plan, observe).run()


class _Walk:
    """The way from the first URL to the document."""

    def __init__(self, url: str, plan: Plan, observe: Any) -> None:
        self.first = url
        self.plan = msgspec.structs.replace(plan, policy=shipped(POLICY))
        self.client = plan  # whose hello is sent: that of the policy the endpoints are checked with
        self.observe = observe
        self.hops: list[Hop] = []
        self.endpoints: dict[HostPort, Found] = {}
        self.facts = Facts()
        self.connections = 0
        self.error: str | None = None

    async def run(self) -> Discovery:
        loop = asyncio.get_running_loop()
        began, started = loop.time(), dt.datetime.now(dt.UTC)
        await self._follow()
        rules = judge(self.plan.policy, self.facts)
        host = urlsplit(self.first)
        verdict = verdict_of(
            host.hostname or "",
            host.port or 443,
            (),
            self.plan,
            (),
            notes=[],
            endpoint=Endpoint(role="well-known"),
            started=started,
            elapsed=loop.time() - began,
            error=self.error,
        )
        judged = overall(rules)
        verdict = msgspec.structs.replace(
            verdict,
            rules=rules,
            verdict=judged,
            complete=judged != "unknown",
            reachable=any(hop.status is not None for hop in self.hops),
            connections=self.connections,
            http=self.hops,
        )
        return Discovery(verdict=verdict, endpoints=list(self.endpoints.values()))

    async def _follow(self) -> None:
        url, seen = self.first, set[str]()
        while True:
            target, path = _parts(url)
            self.endpoints.setdefault(target, Found(target=target, path=path, role="well-known"))
            response = await self._get(target, path)
            if response is None:
                return
            seen.add(url)
            hop = response.hop
            if hop.location is None or hop.status not in http.REDIRECTS:
                self._document(response)
                return
            following = http.joined(url, hop.location)
            if following.lower().startswith("http:"):
                self._ends(hop, plain=True, why=f"redirects to {following}, which is plain HTTP")
                return
            try:
                url = _clean(following)
            except UsageError as error:
                self._ends(hop, why=f"redirects to {error}")
                return
            if url in seen or len(seen) >= MAX_HOPS:
                why = "redirects in a circle" if url in seen else f"redirects more than {MAX_HOPS} times"
                self._ends(hop, why=f"{why}: {url}")
                return

    async def _get(self, target: HostPort, path: str) -> http.Response | None:
        url = http.url_of(target.host, target.port, path)
        plan = self.client
        try:
            plan = msgspec.structs.replace(plan, proxy=await resolved(plan.proxy))
            known = plan.resolve.get((target.host, target.port))
            address = (known or await addresses(target.host, target.port, plan.proxy))[0]
        except UsageError as error:
            self._lost(url, str(error))
            return None
        opening = await way(target.host, address, "", plan.proxy, plan.server_name)
        see = None if self.observe is None else self.observe(target.host, address)
        prober = Prober(address, plan.limits, see, opening=opening)
        hello = client_hello_of(plan, sni_of(target.host, plan.server_name))
        seed = random.Random(f"{plan.seed} {url}").random()
        shown = await prober.ask(fetch.get(url, hello, seed))
        self.connections += prober.connections
        if not shown.application:
            self._lost(url, f"no answer: {shown.reason or shown.label}")
            return None
        response = http.Response(url, shown.application)
        self.hops.append(response.hop)
        return response

    def _lost(self, url: str, why: str) -> None:
        self.hops.append(Hop(url=printable(url), problem=printable(why)))
        self.error = f"discovery ends at {printable(url)}: {printable(why)}"
        self.facts.gaps |= dict.fromkeys(("discovery", "enrollment"), self.error)

    def _ends(self, hop: Hop, *, why: str, plain: bool = False) -> None:
        values: dict[str, Value | None] = {"status": hop.status, "plain": plain}
        self._add("discovery", hop.url, values, {"status": printable(why), "plain": printable(why)})

    def _document(self, response: http.Response) -> None:
        hop = response.hop
        servers = _servers(response.body)
        values: dict[str, Value | None] = {
            "status": hop.status or 0,
            "plain": False,
            "content_type": (hop.content_type or "none").lower(),
            "readable": isinstance(servers, list),
        }
        notes = {} if isinstance(servers, list) else {"readable": servers}
        if hop.problem is not None:
            notes["status"] = hop.problem
        self._add("discovery", hop.url, values, notes)
        for version, base in servers if isinstance(servers, list) else ():
            self._server(version, base)

    def _server(self, version: str, base: str) -> None:
        values: dict[str, Value | None] = {"version": version, "https": base.lower().startswith("https:")}
        notes = {}
        try:
            target, path = _parts(_clean(base))
            self.endpoints.setdefault(target, Found(target=target, path=path, role="enrollment-profile"))
        except UsageError as error:
            values["https"], notes = False, {"https": str(error)}
        self._add("enrollment", f"BaseURL {base}", values, notes)

    def _add(self, kind: str, name: str, values: dict[str, Value | None], notes: dict[str, str]) -> None:
        self.facts.add([Subject(kind, printable(name), values, notes=notes)])


def _parts(url: str) -> tuple[HostPort, str]:
    """Host, port and path of a URL that is clean."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return HostPort(host, parts.port or 443), (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _clean(url: str) -> str:
    """A URL of someone else as one that can be asked for: https, a host as it is resolved, nothing but ASCII, no user,
    no fragment. Raises UsageError.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port or 443
    except ValueError:
        raise UsageError(printable(url[: http.MAX_SHOWN]), "is no URL") from None
    if parts.scheme != "https" or not host:
        raise UsageError(printable(url[: http.MAX_SHOWN]), "is no https URL")
    target = next(parse_target(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
    path = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    return http.url_of(target.host, target.port, path)


def _servers(body: bytes) -> list[tuple[str, str]] | str:
    """(Version, BaseURL) of each server, or what is wrong with the document."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        return f"is no JSON: {printable(str(error))}"
    listed = document.get("Servers") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed:
        return "has no list of Servers"
    return list(_each(listed[:MAX_SERVERS])) or "has no server with Version and BaseURL"


def _each(listed: list[Any]) -> Iterator[tuple[str, str]]:
    for one in listed:
        version, base = (one.get("Version"), one.get("BaseURL")) if isinstance(one, dict) else (None, None)
        if isinstance(version, str) and isinstance(base, str):
            yield version, base[: http.MAX_SHOWN]
