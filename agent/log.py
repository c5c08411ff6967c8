"""Logging on standard error: one JSON object a line, or lines for people on a terminal."""

import logging
import sys

import structlog


def set_up_logging(level: str) -> None:
    """Sets up structlog for this process; `level` is debug, info, warning or error."""
    for_people = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if for_people else structlog.processors.JSONRenderer()
    )
    formats = () if for_people else (structlog.processors.format_exc_info,)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *formats,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
