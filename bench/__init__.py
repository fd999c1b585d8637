"""Benchmarks: whole processes, in turns with their peers, against the same server in the same run.

`python -m bench.scan` measures enumeration. Nothing here is installed or imported by tlswire.
"""
