"""The inbound adapter: PROTOCOL.md's lines over TCP."""
