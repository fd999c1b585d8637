"""Servers asked what a policy needs to know, few connections each; what they show, judged.

Must not import ``report`` or ``cli``.
"""
