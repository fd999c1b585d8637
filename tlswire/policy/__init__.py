"""Policies: what they say (data), what was seen (facts), and what follows (verdicts). Pure.

Must not import ``probe``, ``scan``, ``capture`` or anything above them: whoever asks a server brings what it saw.
"""
