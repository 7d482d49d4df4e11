"""The format of log lines: readable text on a terminal, JSON everywhere else."""

import logging
from typing import TextIO, cast

import structlog

from ..adapters.stderr import NonBlockingStderr, QueuedStderr


def configure_logging(level: str, writer: NonBlockingStderr | QueuedStderr, *, terminal: bool) -> None:
    """Send every log line of at least `level` through `writer`."""
    rendering: list[structlog.typing.Processor] = [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *([structlog.dev.ConsoleRenderer()] if terminal else rendering),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", writer)),
    )
