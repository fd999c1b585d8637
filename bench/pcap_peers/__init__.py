"""Programs that bench.captures and bench.pcap need beside the tools: readers that stand for a library, QUIC copies."""
