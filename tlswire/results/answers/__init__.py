"""DOOR: the answers to the questions of a scan, one model a question, under the question's name.

Must not import anything of tlswire but ``registry``, ``certificates`` and the rest of ``results``; holds no logic.
"""

from __future__ import annotations

import msgspec

from tlswire.results.answers.ccs import Ccs  # noqa: TC001 - msgspec reads the annotations
from tlswire.results.answers.certificates import Certificates  # noqa: TC001 - as above
from tlswire.results.answers.clientauth import ClientAuths  # noqa: TC001 - as above
from tlswire.results.answers.compression import Compression  # noqa: TC001 - as above
from tlswire.results.answers.ephemeral import Ephemeral  # noqa: TC001 - as above
from tlswire.results.answers.exposure import Exposure  # noqa: TC001 - as above
from tlswire.results.answers.extensions import Extensions  # noqa: TC001 - as above
from tlswire.results.answers.fallback import Fallback  # noqa: TC001 - as above
from tlswire.results.answers.groups import Groups  # noqa: TC001 - as above
from tlswire.results.answers.heartbleed import Heartbleed  # noqa: TC001 - as above
from tlswire.results.answers.names import Names  # noqa: TC001 - as above
from tlswire.results.answers.padding import Padding  # noqa: TC001 - as above
from tlswire.results.answers.renegotiation import Renegotiation  # noqa: TC001 - as above
from tlswire.results.answers.resumption import Resumption  # noqa: TC001 - as above
from tlswire.results.answers.robot import Robot  # noqa: TC001 - as above
from tlswire.results.answers.signatures import Signatures  # noqa: TC001 - as above
from tlswire.results.answers.ticketbleed import Ticketbleed  # noqa: TC001 - as above
from tlswire.results.answers.tolerance import Tolerance  # noqa: TC001 - as above


class Answers(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was asked beside versions and suites; a question that was not asked has no key."""

    certificates: Certificates | None = None
    groups: Groups | None = None
    signatures: Signatures | None = None
    clientauth: ClientAuths | None = None
    names: Names | None = None
    tolerance: Tolerance | None = None
    extensions: Extensions | None = None
    resumption: Resumption | None = None
    renegotiation: Renegotiation | None = None
    compression: Compression | None = None
    fallback: Fallback | None = None
    ephemeral: Ephemeral | None = None
    exposure: Exposure | None = None
    heartbleed: Heartbleed | None = None
    ccs: Ccs | None = None
    robot: Robot | None = None
    ticketbleed: Ticketbleed | None = None
    padding: Padding | None = None
