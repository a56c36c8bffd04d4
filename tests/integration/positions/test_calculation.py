"""The stored positions, whatever the order of arrival: the laws of promise 3, on the real database."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal

import psycopg
import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portfolio.streaming.messages import (
    PositionCalculation,
    RawInstrument,
    RawPortfolio,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedRate,
    SubmittedTransaction,
)
from positions import storage
from positions.models import BookingException, Lot, PortfolioState, Position
from positions.operations import calculate_positions
from tests import pipeline
from tests.pipeline import transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal


def a_history(seed: int, size: int) -> list[SubmittedTransaction]:
    """Random transactions of one portfolio, with corrections, cancellations, oversells, two currencies and splits."""
    choose = random.Random(seed)
    history = []
    for number in range(size):
        kind = choose.choice(
            [
                "BUY",
                "BUY",
                "BUY",
                "SELL",
                "SELL",
                "DEPOSIT",
                "WITHDRAWAL",
                "DIVIDEND",
                "INTEREST",
                "FEE",
                "TAX",
                "SPLIT",
            ]
        )
        fields: dict[str, object] = {
            "transaction_id": f"T{number:03d}",
            "transaction_date": f"2025-01-{choose.randint(1, 9):02d}",
            "currency": choose.choice(["USD", "EUR"]),
            "trade_fee": D(choose.choice(["0", "1.25"])),
        }
        if kind in ("BUY", "SELL", "DIVIDEND", "SPLIT"):
            fields["security_id"] = choose.choice(["AAA", "BBB"])
            fields["currency"] = "USD" if fields["security_id"] == "AAA" else "EUR"
        if kind in ("BUY", "SELL"):
            fields |= {"quantity": D(choose.randint(1, 30)), "price": D(choose.randint(100, 999)) / 7}
            fields["price"] = round(D(str(fields["price"])), 6)
        elif kind == "SPLIT":
            fields |= {"ratio_new": D(choose.randint(1, 3)), "ratio_old": D(choose.randint(1, 3))}
        else:
            fields["gross_transaction_amount"] = D(choose.randint(1, 5000)) / 100
        history.append(transaction(kind, **fields))
        if choose.random() < 0.1:
            status = choose.choice(["BOOKED", "CANCELLED"])
            history.append(transaction(kind, **{**fields, "version": 2, "status": status, "trade_fee": D(3)}))
    return history


def settle(method, cash_mode):
    pipeline.record_reference(
        RawPortfolio(
            portfolio=SubmittedPortfolio(
                portfolio_id="P1", base_currency="USD", cost_basis_method=method, cash_mode=cash_mode
            )
        ),
        RawInstrument(instrument=SubmittedInstrument(security_id="BBB", currency="EUR")),
        RawRate(
            fx_rate=SubmittedRate(
                from_currency="EUR", to_currency="USD", rate_date=datetime.date(2025, 1, 1), rate=D("1.1")
            )
        ),
        RawRate(
            fx_rate=SubmittedRate(
                from_currency="EUR", to_currency="USD", rate_date=datetime.date(2025, 1, 5), rate=D("1.2")
            )
        ),
    )


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    method=st.sampled_from(["FIFO", "AVCO"]),
    cash_mode=st.sampled_from(["TRACKED", "UNTRACKED"]),
    batch=st.integers(1, 12),
)
def test_any_order_of_arrival_with_repeats_gives_the_rows_of_one_batch(seed, method, cash_mode, batch):
    pipeline.forget(["P1"])
    history = a_history(seed, 30)
    settle(method, cash_mode)
    pipeline.record(*history)
    pipeline.calculate("P1")
    at_once = pipeline.rows_of("P1")

    pipeline.forget(["P1"])
    settle(method, cash_mode)
    arriving = history + random.Random(seed).sample(history, 10)
    random.Random(seed + 1).shuffle(arriving)
    for start in range(0, len(arriving), batch):
        pipeline.record(*arriving[start : start + batch])
        pipeline.calculate("P1")

    assert pipeline.rows_of("P1") == at_once


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), method=st.sampled_from(["FIFO", "AVCO"]))
def test_work_in_order_gives_the_rows_of_booking_anew(seed, method):
    pipeline.forget(["P1"])
    settle(method, "TRACKED")
    in_order = sorted(a_history(seed, 40), key=lambda t: (t.transaction_date, t.transaction_id))
    for one in in_order:
        pipeline.record(one)
        pipeline.calculate("P1")
    appended = pipeline.rows_of("P1")

    pipeline.calculate("P1", rebuild=True)

    assert pipeline.rows_of("P1") == appended


def test_lots_add_up_to_their_position():
    settle("FIFO", "TRACKED")
    pipeline.record(*a_history(7, 60))
    pipeline.calculate("P1")

    for position in Position.objects.filter(portfolio_id="P1", kind="SECURITY"):
        lots = Lot.objects.filter(portfolio_id="P1", security_id=position.security_id)
        assert sum(lot.quantity for lot in lots) == position.quantity
        assert sum(lot.cost_basis for lot in lots) == position.cost_basis
        assert sum(lot.cost_basis_base for lot in lots) == position.cost_basis_base


def test_settings_that_arrive_late_are_booked_as_if_they_had_been_there():
    pipeline.record(*a_history(3, 30))
    pipeline.calculate("P1")
    assert PortfolioState.objects.get(portfolio_id="P1").provisional
    settle("AVCO", "TRACKED")
    pipeline.calculate("P1")
    late = pipeline.rows_of("P1")

    pipeline.calculate("P1", rebuild=True)

    assert pipeline.rows_of("P1") == late
    assert Position.objects.filter(portfolio_id="P1", kind="CASH").exclude(quantity=0).exists()


def test_a_rate_that_arrives_late_heals_what_missed_it():
    buy = {"security_id": "BBB", "currency": "EUR", "quantity": D(10), "price": D(100)}
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="USD", cash_mode="UNTRACKED"))
    )
    pipeline.record(transaction("BUY", **buy, transaction_date="2025-01-15"))
    pipeline.calculate("P1")
    assert Position.objects.get(portfolio_id="P1", kind="SECURITY").unrated_lots == 1

    pipeline.record_reference(
        RawRate(
            fx_rate=SubmittedRate(
                from_currency="EUR", to_currency="USD", rate_date=datetime.date(2025, 1, 10), rate=D("1.1")
            )
        )
    )
    pipeline.calculate("P1")

    # 10 x 100 EUR at 1.1
    position = Position.objects.get(portfolio_id="P1", kind="SECURITY")
    assert (position.unrated_lots, position.cost_basis_base) == (0, D("1100"))


def test_a_sale_of_what_is_not_there_yet_heals_when_the_purchase_arrives():
    settle("FIFO", "TRACKED")
    pipeline.record(transaction("SELL", security_id="AAA", quantity=D(10), price=D(9), transaction_date="2025-01-08"))
    pipeline.calculate("P1")
    assert BookingException.objects.get(portfolio_id="P1").code == "OVERSOLD"

    pipeline.record(transaction("BUY", security_id="AAA", quantity=D(10), price=D(7), transaction_date="2025-01-05"))
    pipeline.calculate("P1")

    assert not BookingException.objects.filter(portfolio_id="P1").exists()
    # Bought for 70, sold for 90: the gain is 20, and nothing is left.
    position = Position.objects.get(portfolio_id="P1", kind="SECURITY")
    assert (position.quantity, position.realized_gain) == (D(0), D(20))


def test_a_type_that_cannot_be_booked_fails_its_portfolio_alone_and_says_so():
    pipeline.record(
        transaction("RETURN_OF_CAPITAL", portfolio_id="ODD", security_id="AAA", gross_transaction_amount=D(5)),
        transaction("BUY", portfolio_id="EVEN", security_id="AAA", quantity=D(1), price=D(5)),
    )
    requests = {p: PositionCalculation(portfolio_id=p, requested_seq=1) for p in ("EVEN", "ODD")}

    dones = {d.portfolio_id: d for d in calculate_positions(requests, now=pipeline.NOW)}

    assert dones["EVEN"].error is None
    assert "RETURN_OF_CAPITAL" in (dones["ODD"].error or "")
    assert dones["ODD"].computed_seq == 0
    assert Position.objects.filter(portfolio_id="EVEN", kind="SECURITY").exists()


def test_a_split_of_what_is_bought_later_does_not_hide_the_purchase_from_those_who_tell_of_changes():
    """The holding's row is there before anything is held; the interest begins with the first entry booked."""
    pipeline.record(
        transaction("SPLIT", security_id="AAA", ratio_new=D(2), ratio_old=D(1), transaction_date="2025-01-02")
    )
    pipeline.calculate("P1")
    known = PortfolioState.objects.get(portfolio_id="P1").interests_seq

    pipeline.record(transaction("BUY", security_id="AAA", quantity=D(1), price=D(5), transaction_date="2025-01-03"))
    asked = PositionCalculation(portfolio_id="P1", requested_seq=2, interests_seq=known)
    (done,) = calculate_positions({"P1": asked}, now=pipeline.NOW)

    assert [interest.name for interest in done.interests] == ["AAA"]


def test_a_connection_lost_in_the_middle_is_no_failure_of_the_calculation(monkeypatch):
    """The COPY's own errors come from the driver; they pass, and the worker tries again."""
    from positions import writing

    def lose_the_connection(table, rows):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
        with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        storage.copy_rows(table, rows)

    pipeline.record(transaction("BUY", security_id="AAA", quantity=D(1), price=D(5)))
    with monkeypatch.context() as patched:
        patched.setattr(writing, "copy_rows", lose_the_connection)
        with pytest.raises((OperationalError, psycopg.OperationalError)):
            pipeline.calculate("P1")
    connection.close()

    pipeline.calculate("P1")
    assert Position.objects.filter(portfolio_id="P1", kind="SECURITY").exists()
