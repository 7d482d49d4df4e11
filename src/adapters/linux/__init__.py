"""Linux interfaces that several adapters use: processes and their marks, sockets and users."""
