"""The inbound adapter: serves the line protocol over TCP and Unix sockets."""
