"""LAB: an embedded TLS server on loopback whose accepted set is known by construction.

``characters`` says what each server is (data), ``responder`` what it answers (bytes in, actions out), ``server`` puts
it on a loopback port. It completes every handshake that ``crypto`` can compute, answers one request and says goodbye;
where it cannot, its first flight looks right. A character says in which ways it is not a good server.
"""
