"""KEYS: key exchange, key schedules, record protection, signatures, key logs. Sans-IO; ``cryptography`` is loaded late.

Must not import anything of tlswire but ``errors``, ``registry`` and ``wire``.
"""
