"""CERTIFICATES: what they say, read from DER. Must not import anything of tlswire but ``errors`` and ``wire.cursor``."""
