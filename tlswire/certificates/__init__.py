"""CERTIFICATES: what they and the chains they come in say, and what is wrong with them, from DER bytes alone.

No socket, file or clock: the caller gives the time and the anchors. Must not import anything of tlswire but ``errors``,
``escape`` and ``registry``.
"""
