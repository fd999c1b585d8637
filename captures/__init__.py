"""Captures the project makes itself: recordings of real stacks on loopback, and transformations of those by script."""
