"""OUTPUT: writers of results, one module per format. Must not import ``scan``, ``probe`` or ``cli``."""
