"""Tests of the lab; ``hellos`` is their client, ``mint`` made the keys."""
