"""Workers look up the rows they name, however cheap the planner believes a young table to be."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.db import transaction as db_transaction

from portfolio.planning import look_up_by_key
from tests.pipeline import record, transaction

LOOK_UP = """
    EXPLAIN SELECT transaction_id FROM unnest(%s::text[], %s::text[], %s::int4[])
        AS asked(portfolio_id, transaction_id, version)
    JOIN transactions USING (portfolio_id, transaction_id, version)
"""
ONE_UNIT = {"security_id": "S", "quantity": Decimal(1), "price": Decimal(1)}


def plan() -> str:
    with connection.cursor() as cursor:
        cursor.execute(LOOK_UP, [["P1"] * 5000, [f"T{n}" for n in range(5000)], [1] * 5000])
        return "\n".join(line for (line,) in cursor.fetchall())


@pytest.mark.django_db(transaction=True)
def test_a_batch_does_not_read_the_whole_ledger_and_nobody_else_is_concerned() -> None:
    record(*(transaction("BUY", transaction_id=f"T{n}", **ONE_UNIT) for n in range(200)))
    assert "Seq Scan on transactions" in plan()
    with db_transaction.atomic():
        look_up_by_key()
        assert "Seq Scan" not in plan()
        assert "Index" in plan()
    assert "Seq Scan on transactions" in plan()
