"""The real PostgreSQL and the real Apache Kafka under the tests, with data of their own.

A pytest plugin, named in pyproject.toml: the servers' addresses must stand in the environment before Django's settings
are read. Where DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS name servers of your own, these are used.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from portfolio.devstack import DevStack

DATA_DIR = Path(__file__).resolve().parent.parent / ".devstack" / f"test-{os.getpid()}"


def _say(line: str) -> None:
    print(line, file=sys.stderr)


_stack = DevStack(
    DATA_DIR,
    database_url=os.environ.get("DATABASE_URL"),
    kafka_bootstrap_servers=os.environ.get("KAFKA_BOOTSTRAP_SERVERS"),
    progress=_say,
)
_ENVIRONMENT = {
    "SECRET_KEY": "for the tests alone",
    "TOPIC_PARTITIONS": "3",
    "TOPIC_REPLICATION_FACTOR": "1",
    "TOPIC_MIN_INSYNC_REPLICAS": "1",
    "KAFKA_TOPIC_PREFIX": f"test{os.getpid()}.",
    "KAFKA_GROUP_PREFIX": f"test{os.getpid()}.",
    "LOG_LEVEL": "WARNING",
}


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Generator[None, None, None]:
    """Start the servers before pytest-django reads the settings."""
    _stack.start()
    os.environ.update(_ENVIRONMENT)
    os.environ["DATABASE_URL"] = _stack.database_url
    os.environ["KAFKA_BOOTSTRAP_SERVERS"] = _stack.kafka_bootstrap_servers
    return (yield)


def pytest_unconfigure() -> None:
    """Stop them, and leave nothing behind."""
    _stack.stop()
    shutil.rmtree(DATA_DIR, ignore_errors=True)
