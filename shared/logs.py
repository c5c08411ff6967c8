"""The one log of every process: structlog on standard error, a JSON object a line, or lines for
people on a terminal.

Each line carries the `trace` that is bound where it was written: one HTTP request, one message of
the wire, one command. Secrets are hidden by their type (`shared.secret.Secret`), and what looks
like one by its name or form is hidden as well, should somebody log it as text.
"""

import hashlib
import logging
import re
import secrets
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, TextIO

import structlog

from shared.secret import HIDDEN, Secret

TRACE = re.compile(r"[0-9a-f]{32}")
"""A trace id: that of W3C Trace Context (https://www.w3.org/TR/trace-context/ section 3.2.2.3)."""
_NAMES = re.compile(
    r"(?i)(?:^|_)(?:password|passphrase|secret|token|cookie|authorization|private_?key|pin|totp|"
    r"recovery_code)(?:$|_(?:text|value|hex|pem)$)"
)
_FORMS = re.compile(
    r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----.*?(?:-----END (?:[A-Z]+ )?PRIVATE KEY-----|$)"
    r"|(?i:\bbearer )[A-Za-z0-9._~+/=-]{8,}"
    r"|\bwhsec_[A-Za-z0-9+/=]{8,}"
    r"|://[^/\s:@]+:[^/\s@]+@",
    re.DOTALL,
)
_MAX_DEPTH = 6


def set_up_logs(level: str, stream: TextIO | None = None) -> None:
    """Sets up structlog and the standard library's logging for this process.

    `level` is debug, info, warning or error; by default it writes to standard error.
    """
    to = sys.stderr if stream is None else stream
    number = logging.getLevelNamesMapping()[level.upper()]
    shared = _processors()
    structlog.configure(
        processors=[*shared, *_renderers(for_people=to.isatty())],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(to),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(to)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(for_people=to.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))


def new_trace() -> str:
    """A trace id of its own."""
    return secrets.token_hex(16)


def command_trace(command_id: str) -> str:
    """The trace of a command, the same on both sides of the wire without being sent: made of its
    id, which its signature covers."""
    return hashlib.sha256(b"command " + command_id.encode()).hexdigest()[:32]


@contextmanager
def traced(trace: str | None = None, **context: str) -> Iterator[str]:
    """Every line written inside carries the trace (a new one by default) and the context."""
    bound = new_trace() if trace is None else trace
    with structlog.contextvars.bound_contextvars(trace=bound, **context):
        yield bound


def current_trace() -> str | None:
    """The trace that is bound here."""
    found = structlog.contextvars.get_contextvars().get("trace")
    return found if isinstance(found, str) else None


def hide_secrets(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """The structlog processor that hides them, at any depth."""
    for key in list(event):
        event[key] = hidden(event[key], key)
    return event


def hidden(value: Any, name: str = "", depth: int = 0) -> Any:
    """The value with every secret in it hidden; `name` is the key it is logged under."""
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, str | bytes) and _NAMES.search(name):
        return HIDDEN
    if isinstance(value, str):
        return _FORMS.sub(HIDDEN, value)
    if depth >= _MAX_DEPTH:
        return value if isinstance(value, int | float | None) else f"<{type(value).__name__}>"
    if isinstance(value, Mapping):
        return {key: hidden(item, str(key), depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(item, name, depth + 1) for item in value]
    return value


def _processors() -> list[structlog.types.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _renderers(*, for_people: bool) -> list[structlog.types.Processor]:
    """Secrets are hidden last, in the text of exceptions as well."""
    if for_people:
        return [hide_secrets, structlog.dev.ConsoleRenderer()]
    return [
        structlog.processors.format_exc_info,
        hide_secrets,
        structlog.processors.JSONRenderer(),
    ]
