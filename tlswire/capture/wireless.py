"""IEEE 802.11 frames and the headers capture tools put in front of them.

Only data frames in clear hold anything for us: data of protected networks is ciphertext. Must not import anything of
tlswire but ``capture.layers``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tlswire.capture.layers import ETHERTYPE, LINK

if TYPE_CHECKING:
    from tlswire.capture.layers import Key, Packet

_IEEE80211 = (LINK, 105)


def ieee80211(packet: Packet) -> Key | None:
    """A data frame (IEEE 802.11 section 9.3.2) with LLC and SNAP inside."""
    buffer, at = packet.buffer, packet.at
    control, flags = buffer[at], buffer[at + 1]
    if control & 0x4F != 0x08:  # another version or type of frame, or data without data
        return packet.ignore("802.11 frames without data")
    if flags & 0x40:
        return packet.ignore("802.11 encrypted data")
    at += 24 + 6 * (flags & 3 == 3)
    if control & 0x80:
        if buffer[at] & 0x80:
            return packet.ignore("802.11 aggregates")
        at += 2 + 4 * (flags >> 7)
    if packet.padded:
        at += -(at - packet.at) % 4
    packet.at = at + 8
    head = buffer[at : at + 3]
    if head != b"\xaa\xaa\x03":
        return packet.ignore("802.11 data without SNAP")
    return ETHERTYPE, int.from_bytes(buffer[at + 6 : at + 8], "big")


def radiotap(packet: Packet) -> Key | None:
    """radiotap.org; its flags tell of padding behind the 802.11 header (a checksum at the end is behind what IP says)."""
    buffer, at = packet.buffer, packet.at
    size = int.from_bytes(buffer[at + 2 : at + 4], "little")
    present = int.from_bytes(buffer[at + 4 : at + 8], "little")
    place = at + 8
    more = present
    while more & 0x80000000 and place + 4 <= at + size:
        more = int.from_bytes(buffer[place : place + 4], "little")
        place += 4
    if present & 2:
        if present & 1:
            place += -(place - at) % 8 + 8  # the TSF timer stands first
        packet.padded = bool(buffer[place] & 0x20)
    packet.at = at + size
    return _IEEE80211


def prism(packet: Packet) -> Key | None:
    """The header of Prism chips, its length in the order of the host; newer drivers put AVS's in its place."""
    if packet.buffer[packet.at : packet.at + 3] == b"\x80\x21\x10":
        return avs(packet)
    at = packet.at + 4
    length = packet.buffer[at : at + 4]
    packet.at += min(int.from_bytes(length, "little"), int.from_bytes(length, "big"))
    return _IEEE80211


def avs(packet: Packet) -> Key | None:
    """The header of AVS capture drivers."""
    at = packet.at + 4
    packet.at += int.from_bytes(packet.buffer[at : at + 4], "big")
    return _IEEE80211


def ppi(packet: Packet) -> Key | None:
    """Per-packet information, which names the link type behind it."""
    buffer, at = packet.buffer, packet.at
    packet.at = at + int.from_bytes(buffer[at + 2 : at + 4], "little")
    return LINK, int.from_bytes(buffer[at + 4 : at + 8], "little")
