"""GRAMMAR: bytes to values and back from one Construct declaration. No I/O, no clock, no randomness."""
