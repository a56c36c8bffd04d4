"""A worker's sessions carry its group's name, so that a successor ends its own predecessor's and nobody else's."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

from portfolio.streaming.standstill import limit_waiting

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def reconnected():
    connection.close()
    limit_waiting(group="consume_transactions")
    yield
    connection_created.disconnect(dispatch_uid="limit_waiting")
    connection.close()


def setting(name):
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return cursor.fetchone()[0]


def test_the_sessions_of_a_worker_carry_its_name(reconnected):
    assert setting("application_name") == "portfolio-consume_transactions"


def test_the_sessions_of_a_worker_do_not_wait_for_a_lock_for_ever(reconnected, settings):
    assert setting("lock_timeout") == f"{settings.LOCK_TIMEOUT_S:.0f}s"
