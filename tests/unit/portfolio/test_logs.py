"""One line an event, whichever logger it came by."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from portfolio import logs

PROGRAM = """
import logging, logging.config, sys
import structlog
from portfolio.logs import configured
logging.config.dictConfig(configured(level=sys.argv[1], log_format=sys.argv[2]))
structlog.contextvars.bind_contextvars(request_id="req-1")
structlog.get_logger().info("by_structlog", amount=3)
logging.getLogger("portfolio.x").info("by the %s library", "standard", extra={"topic": "t"})
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("portfolio.x").exception("broken")
    structlog.get_logger().exception("broken")
logging.getLogger("portfolio.x").debug("too quiet")
"""


def logged(level: str, log_format: str) -> subprocess.CompletedProcess[str]:
    """What a process of its own writes: logging is configured once in one."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, level, log_format],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )


def test_every_line_is_json_with_the_same_fields_and_standard_output_stays_free():
    written = logged("INFO", "json")
    assert written.stdout == ""
    by_structlog, by_library, *broken = map(json.loads, written.stderr.splitlines())
    assert (by_structlog["event"], by_structlog["amount"]) == ("by_structlog", 3)
    assert (by_library["event"], by_library["topic"], by_library["logger"]) == (
        "by the standard library",
        "t",
        "portfolio.x",
    )
    for line in (by_structlog, by_library):
        assert line["level"] == "info"
        assert line["request_id"] == "req-1"
        assert line["timestamp"].endswith("Z")
    assert len(broken) == 2
    assert all("ZeroDivisionError" in line["exception"] for line in broken)


def test_people_get_text():
    assert "by_structlog" in logged("INFO", "console").stderr
    assert "{" not in logged("INFO", "console").stderr.splitlines()[0]


@pytest.mark.parametrize(("level", "log_format"), [("LOUD", "json"), ("INFO", "xml")])
def test_an_unknown_level_or_format_is_refused(level, log_format):
    with pytest.raises(ValueError, match="is unknown"):
        logs.configured(level=level, log_format=log_format)
