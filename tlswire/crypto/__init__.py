"""KEYS: key schedules and record protection. Must not import anything of tlswire but ``errors`` and ``wire``."""
