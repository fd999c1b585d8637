"""MEANING of hellos: building them from what they shall offer. Imports ``registry`` and ``wire`` only."""
