"""The protocol, sans I/O: bytes to requests and results to bytes. Uses neither sockets nor asyncio."""
