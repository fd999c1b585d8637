"""Real TLS servers on loopback and an independent oracle: the truth tlswire is tested against.

Nothing in this package may import tlswire.
"""
