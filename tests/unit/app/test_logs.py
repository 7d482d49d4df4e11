import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from execwire.adapters.stderr import QueuedStderr
from execwire.app.logs import configure_logging


@dataclass
class Log:
    """A writer for the log, and the read end of its pipe."""

    reading: int
    writer: QueuedStderr

    def text(self) -> str:
        """Close the writer and return all that was logged."""
        self.writer.close()
        os.set_blocking(self.reading, False)
        try:
            return os.read(self.reading, 65536).decode()
        except BlockingIOError:
            return ""

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    before = structlog.get_config()
    reading, writing = os.pipe()
    writer = QueuedStderr(writing)
    yield Log(reading, writer)
    structlog.configure(**before)
    writer.close()
    os.close(reading)
    os.close(writing)


def logger() -> structlog.typing.FilteringBoundLogger:
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return bound


def test_line_is_a_json_object_without_a_terminal(log: Log) -> None:
    configure_logging("info", log.writer, terminal=False)
    logger().info("listening", port=3000)
    logger().warning("late", what="two\nlines ü \udc80")
    first, second = log.events()
    assert (first["event"], first["level"], first["port"]) == ("listening", "info", 3000)
    assert (second["event"], second["level"], second["what"]) == ("late", "warning", "two\nlines ü \udc80")
    assert first["timestamp"].endswith("Z")


def test_exception_is_logged_with_its_traceback(log: Log) -> None:
    configure_logging("info", log.writer, terminal=False)
    try:
        int("of all things")
    except ValueError:
        logger().exception("broken")
    [event] = log.events()
    assert "ValueError: invalid literal" in event["exception"]
    assert "test_logs.py" in event["exception"]


def test_line_on_a_terminal_is_readable_text(log: Log) -> None:
    configure_logging("info", log.writer, terminal=True)
    logger().info("listening", port=3000)
    text = log.text()
    assert text.count("\n") == 1
    assert "listening" in text
    assert "3000" in text
    assert not text.startswith("{")


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_not_written(log: Log, level: str, written: list[str], *, terminal: bool) -> None:
    configure_logging(level, log.writer, terminal=terminal)
    for each in ("debug", "info", "warning", "error"):
        getattr(logger(), each)(f"logged as {each}")
    lines = log.text().splitlines()
    assert len(lines) == len(written)
    assert all(f"logged as {each}" in line for each, line in zip(written, lines, strict=True))
