"""How servers react to hellos at the edge of the RFCs: cases, generators, the oracle, campaigns, shrinking, comparison.

Must not import ``scan``, ``capture``, ``policy``, ``report``, ``lab`` or ``cli``.
"""
