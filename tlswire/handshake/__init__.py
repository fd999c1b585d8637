"""HANDSHAKES: a TLS client of our own, sans-IO, that completes what a hello began and keeps everything it is shown.

Must not import ``probe`` or anything below it.
"""
