"""QUESTIONS asked of a server, and the scheduler that asks them. Must not import ``report`` or ``cli``."""
