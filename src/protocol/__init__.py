"""The protocol, sans I/O: bytes to requests and results to bytes. Knows neither sockets nor asyncio."""
