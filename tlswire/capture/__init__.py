"""WIRE FROM FILES: captures read packet by packet, put together to streams, and told as TLS sessions."""
