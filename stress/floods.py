"""Data that a client can send without pause, and a program that does: `python -m stress.floods KIND PORT CLIENTS`.

It reads and discards the results, and exits when its stdin ends.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable

MIB = 1024 * 1024
TRUE = b'{"command":["true"]}'


def _line(size: int, begin: bytes, piece: bytes, end: bytes) -> bytes:
    """Return a line of at most `size` bytes with as many pieces as fit; the last one is without its comma."""
    count = (size - len(begin) - len(end)) // len(piece)
    return begin + (piece * count).removesuffix(b",") + end + b"\n"


FLOODS: dict[str, Callable[[], bytes]] = {
    "blank lines": lambda: b"\n" * MIB,
    "{} lines": lambda: b"{}\n" * 100_000,
    "tiny valid requests": lambda: (TRUE + b"\n") * 50_000,
    "lines that are not JSON": lambda: b"{nonsense\n" * 100_000,
    "1 MiB of {},": lambda: _line(MIB, b"", b"{},", b""),
    "1 MiB of {}, in a field": lambda: _line(MIB, b'{"command":5,"x":[', b"{},", b"]}"),
    "1 MiB of [], in a field": lambda: _line(MIB, b'{"command":["true"],"x":[', b"[],", b"]}"),
    "1 MiB, valid": lambda: _line(MIB, b'{"command":["true"],"x":"', b"x", b'"}'),
    "209,000 arguments": lambda: _line(MIB, b'{"command":["true",', b'"ab",', b"]}"),
    "100,000 arguments": lambda: _line(500_000, b'{"command":["true",', b'"ab",', b"]}"),
    "40,000 arguments": lambda: _line(200_000, b'{"command":["true",', b'"ab",', b"]}"),
    "60,000 arguments, not ASCII": lambda: _line(MIB // 2, b'{"command":["true",', '"äöü",'.encode(), b"]}"),
    "arguments, the last not a string": lambda: _line(MIB, b'{"command":["true",', b'"ab",', b"5]}"),
    "100,000 ignored fields": lambda: _line(MIB, b'{"command":["true"],"e":{', b'"k":"v",', b"}}"),
    "a line without an end": lambda: b"x" * MIB,
    "lines just over the limit": lambda: b'{"' + b"x" * (MIB + 10) + b"\n",
    "a huge id": lambda: _line(MIB, b'{"command":["true"],"id":"', b"x", b'"}'),
    "a huge integer as id": lambda: _line(MIB, b'{"command":["true"],"id":', b"7", b"}"),
    "deep nesting": lambda: b'{"command":' + b"[" * (MIB - 12) + b"\n",
    "nesting in a field": lambda: b'{"command":["true"],"x":' + b"[" * 500 + b"]" * 500 + b"}\n",
    "invalid UTF-8": lambda: _line(MIB, b'{"command":["', b"\xff\xfe", b'"]}'),
    "escapes": lambda: _line(MIB, b'{"command":["true","', b"\\u00e4", b'"]}'),
    "one byte at a time": lambda: TRUE + b"\n",
}
"""The data that is sent repeatedly, by name."""


def _talk(port: int, kind: str, stop: threading.Event) -> None:
    data = FLOODS[kind]()
    if kind == "a line without an end":
        data = b"{" + data
    step = 1 if kind == "one byte at a time" else len(data)
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                reading = threading.Thread(target=_discard, args=(client,), daemon=True)
                reading.start()
                while not stop.is_set():
                    for start in range(0, len(data), step):
                        client.sendall(data[start : start + step])
        except OSError:
            # Disconnected by the agent, for example for an endless line: connect again.
            time.sleep(0.01)


def _discard(client: socket.socket) -> None:
    try:
        while client.recv(MIB):
            pass
    except OSError:
        return


def main() -> None:
    """Flood until stdin ends."""
    kind, port, clients = sys.argv[1:]
    stop = threading.Event()
    for _ in range(int(clients)):
        threading.Thread(target=_talk, args=(int(port), kind, stop), daemon=True).start()
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
