"""The inbound adapter: the protocol's lines over TCP and Unix sockets."""
