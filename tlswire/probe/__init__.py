"""WIRE TO SERVERS: targets, sockets, one hello out and one flight in. Must not import ``scan`` or above."""
