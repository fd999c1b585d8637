"""LAB: an embedded TLS responder on loopback whose accepted set is known by construction.

``characters`` says what each server is (data), ``responder`` what it answers (bytes in, actions out), ``server`` puts
it on a loopback port. It never completes a handshake; its first flight is a correct one unless the character says no.
"""
