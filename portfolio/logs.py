"""One line an event, on standard error: JSON for machines, or text for people (LOG_FORMAT=console).

Both kinds of loggers end here, structlog's and the standard library's, with the same fields. Standard output stays free
for what commands print.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec
import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configured(*, level: str, log_format: str) -> dict[str, Any]:
    """Configure structlog, and give what Django's LOGGING has to say. Raises ValueError for an unknown one."""
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None or log_format not in ("json", "console"):
        raise ValueError(f"LOG_LEVEL {level!r} or LOG_FORMAT {log_format!r} is unknown: INFO, and json or console.")
    if log_format == "json":
        rendering: list[Any] = [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    else:
        rendering = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=[*_SHARED, *rendering],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*_SHARED, structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder()],
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        # Django's own: no second line for an answer that request_finished tells of already.
        "loggers": {"django": {"level": "INFO"}, "django.request": {"level": "CRITICAL"}},
    }


def _json(event: dict[str, Any], **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=str).decode()
