"""What is sent for one case, as a value, and what all cases are made of: two valid hellos and the keys behind them.

Deterministic: a ``Ground`` follows from its seed and server name, and the same case of the same ground is the same
bytes. Sans-IO. Sources: RFC 9846 sections 4.2.2 and 5.1, RFC 5246 section 7.4.1.2.
Must not import anything of tlswire but ``errors``, ``registry``, ``wire``, ``crypto``, ``hello``, ``handshake`` and
``fuzz.fields``, ``fuzz.edits``.
"""

from __future__ import annotations

from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

import msgspec

from tlswire.crypto.shares import private_share, supported
from tlswire.fuzz.edits import Edit, applied
from tlswire.fuzz.fields import Group, dissect_hello, encode
from tlswire.handshake.offer import offer
from tlswire.hello.builder import Shape, client_hello
from tlswire.wire.handshake import CLIENT_HELLO, CLIENT_HELLO_BODY, encode_handshake
from tlswire.wire.messages import ClientHello, ServerHello
from tlswire.wire.primitives import build
from tlswire.wire.records import HANDSHAKE, fragment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tlswire.crypto.shares import PrivateShare
    from tlswire.handshake.client import Client
    from tlswire.handshake.conversation import Session

X25519, SECP256R1, SECP384R1, FFDHE2048, X25519MLKEM768 = 0x001D, 0x0017, 0x0018, 0x0100, 0x11EC
TLS12, TLS13 = 0x0303, 0x0304
RECORD_VERSION = 0x0301

SUITES13 = (0x1301, 0x1302, 0x1303)
SUITES12 = (0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035)
GROUPS = (X25519, SECP256R1, SECP384R1)
SCHEMES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601, 0x0807, 0x0201)
PROTOCOLS = (b"http/1.1",)


class Script(msgspec.Struct, frozen=True):
    """What one connection sends, and what is needed to read the answer.

    ``payload`` goes out first, cut into TCP segments at the byte offsets ``cuts``, ``pause`` seconds apart; ``fin``
    says FIN behind it (half-close). ``message`` is the hello as the transcript has it, with its header (empty: there is
    none, and what is encrypted stays closed); ``tree`` its body's fields. ``again`` makes what is sent for a
    HelloRetryRequest: the bytes, and the message in them. ``tail``: more than a hello was sent, so what comes behind a
    complete flight is part of the reaction. ``session`` is what the hello offers to resume. ``client`` makes a client that
    is run instead, for hellos under the keys of a handshake before; the other fields then say what it begins with.
    """

    payload: bytes
    message: bytes = b""
    tree: Group | None = None
    cuts: tuple[int, ...] = ()
    pause: float = 0.0
    fin: bool = False
    tail: bool = False
    again: Callable[[ServerHello], tuple[bytes, bytes]] | None = None
    session: Session | None = None
    client: Callable[[], Client] | None = None


class Ground:
    """Two valid hellos, ``modern`` (TLS 1.3 and 1.2) and ``older`` (TLS 1.2 alone), and the private halves of all
    shares. ``sessions`` are those that cases may resume, by version, and ``spares`` others of the same handshakes, where
    there are: a ticket that early data came with is used up (RFC 9846 section 8.1). ``protocols`` and ``groups`` are what
    both hellos offer.
    """

    def __init__(
        self,
        seed: int = 0,
        server_name: bytes = b"localhost",
        *,
        protocols: tuple[bytes, ...] = PROTOCOLS,
        groups: tuple[int, ...] = GROUPS,
    ) -> None:
        self.seed = seed
        self.server_name = server_name
        self.sessions: dict[int, Session] = {}
        self.spares: dict[int, Session] = {}
        rng = Random(f"tlswire fuzz {seed}")
        shape = Shape(server_name=server_name, alpn=protocols, groups=groups, schemes=SCHEMES, key_shares=(X25519,))
        offered = offer(client_hello((TLS13, TLS12), (*SUITES13, *SUITES12), rng=rng, shape=shape), rng)
        self.modern: ClientHello = offered.hello
        self.older = client_hello((TLS12,), SUITES12, rng=rng, shape=shape)
        self._keys: dict[int, PrivateShare] = dict(offered.keys)

    def key(self, group: int) -> PrivateShare | None:
        """The private half of the share this ground has for ``group``; None where it cannot be computed here."""
        if group not in self._keys and supported(group):
            self._keys[group] = private_share(group, Random(f"tlswire fuzz {self.seed} {group}"))
        return self._keys.get(group)

    def random(self, purpose: str) -> Random:
        """A generator of its own for ``purpose``, the same for the same seed."""
        return Random(f"tlswire fuzz {self.seed} {purpose}")

    @cached_property
    def modern_tree(self) -> Group:
        """The fields of ``modern``."""
        return tree_of(self.modern)

    @cached_property
    def older_tree(self) -> Group:
        """The fields of ``older``."""
        return tree_of(self.older)


def tree_of(hello: ClientHello) -> Group:
    """The fields of a hello's body."""
    return dissect_hello(build(CLIENT_HELLO_BODY, hello, "client_hello"))


def message_of(tree: Group) -> bytes:
    """The handshake message of a tree."""
    return encode_handshake(CLIENT_HELLO, encode(tree))


def records(message: bytes, size: int = 1 << 14, version: int = RECORD_VERSION) -> bytes:
    """A handshake message in records of at most ``size`` bytes."""
    return fragment(HANDSHAKE, version, message, size)


def script_of(tree: Group | ClientHello, **more: object) -> Script:
    """The script that sends this hello in one record (or as few as there must be)."""
    if isinstance(tree, ClientHello):
        tree = tree_of(tree)
    message = message_of(tree)
    return msgspec.structs.replace(Script(records(message), message, tree), **more)


def edited(tree: Group, edits: Iterable[Edit], **more: object) -> Script:
    """The script that sends ``tree`` with ``edits`` made."""
    return script_of(applied(tree, edits), **more)
