"""Servers that may be killed, and a system to kill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.servers import Servers
from tests.servers import _stack


@pytest.fixture(scope="session")
def servers() -> Servers:
    """PostgreSQL and Kafka: those that the tests have started, and nobody's else."""
    if not _stack._postgres.alive or not _stack._kafka.alive:
        pytest.exit("these tests kill the servers: unset DATABASE_URL and KAFKA_BOOTSTRAP_SERVERS", returncode=2)
    return Servers(_stack)


@pytest.fixture(autouse=True)
def database_access(servers: Servers, django_db_blocker: Any) -> Iterator[None]:
    """Each test's system has a database of its own. Whatever was killed runs again for the next one."""
    with django_db_blocker.unblock():
        yield
        servers.revive()
