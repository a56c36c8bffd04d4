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
    RawPrice,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
)
from positions.calculating import storage
from positions.engine.entry import key_of
from positions.figures import portfolio_answer
from positions.models import BookingException, Lot, PortfolioState, Position
from positions.operations import calculate_positions
from positions.queries import one_snapshot, snapshot_of, state_of
from tests import pipeline
from tests.histories import METHODS, a_history
from tests.pipeline import transaction
from transactions.ledger import normalised

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal


@pytest.fixture(autouse=True)
def lots_are_read_two_at_a_time(monkeypatch):
    """So that histories of a few dozen entries read on from the lots they first see."""
    monkeypatch.setattr("positions.calculating.stored_holdings.LOTS_READ_AT_FIRST", 2)


def settle(method, cash_mode, *, allow_short=False):
    pipeline.record_reference(
        RawPortfolio(
            portfolio=SubmittedPortfolio(
                portfolio_id="P1",
                base_currency="USD",
                cost_basis_method=method,
                cash_mode=cash_mode,
                allow_short=allow_short,
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
    method=st.sampled_from(METHODS),
    cash_mode=st.sampled_from(["TRACKED", "UNTRACKED"]),
    allow_short=st.booleans(),
    batch=st.integers(1, 12),
)
def test_any_order_of_arrival_with_repeats_gives_the_rows_of_one_batch(seed, method, cash_mode, allow_short, batch):
    pipeline.forget(["P1"])
    history = a_history(seed, 40)
    settle(method, cash_mode, allow_short=allow_short)
    pipeline.record(*history)
    pipeline.calculate("P1")
    at_once = pipeline.rows_of("P1")

    pipeline.forget(["P1"])
    settle(method, cash_mode, allow_short=allow_short)
    arriving = history + random.Random(seed).sample(history, 10)
    random.Random(seed + 1).shuffle(arriving)
    for start in range(0, len(arriving), batch):
        pipeline.record(*arriving[start : start + batch])
        pipeline.calculate("P1")

    assert pipeline.rows_of("P1") == at_once


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS), allow_short=st.booleans())
def test_work_in_order_gives_the_rows_of_booking_anew(seed, method, allow_short):
    pipeline.forget(["P1"])
    settle(method, "TRACKED", allow_short=allow_short)
    in_order = sorted(a_history(seed, 50, corrections=False), key=lambda t: key_of(normalised(t)))
    for one in in_order:
        pipeline.record(one)
        pipeline.calculate("P1")
    appended = pipeline.rows_of("P1")

    pipeline.calculate("P1", rebuild=True)

    assert pipeline.rows_of("P1") == appended


@pytest.mark.parametrize("method", METHODS)
def test_lots_add_up_to_their_position(method):
    settle(method, "TRACKED", allow_short=True)
    pipeline.record(*a_history(7, 80))
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


def test_a_portfolio_that_cannot_be_calculated_fails_alone_and_says_so():
    # 10^18 units at 10^18, split 10^18 times over: more digits than are kept.
    huge = {"portfolio_id": "ODD", "security_id": "AAA"}
    pipeline.record(
        transaction("BUY", **huge, quantity=D("999999999999999999"), price=D(1)),
        transaction("SPLIT", **huge, ratio_new=D("999999999999999999"), ratio_old=D("1e-18")),
        transaction("BUY", portfolio_id="EVEN", security_id="AAA", quantity=D(1), price=D(5)),
        transaction("SPLIT", **huge, transaction_date="2025-01-16", ratio_new=D("9e17"), ratio_old=D("1e-18")),
    )
    requests = {p: PositionCalculation(portfolio_id=p, requested_seq=1) for p in ("EVEN", "ODD")}

    dones = {d.portfolio_id: d for d in calculate_positions(requests, now=pipeline.NOW)}

    assert dones["EVEN"].error is None
    assert "OutOfRange" in (dones["ODD"].error or "")
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
    from positions.calculating import writing

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


def test_a_change_of_symbol_carries_the_price_of_its_day_until_there_is_another():
    settle("FIFO", "TRACKED")
    for day, price in (("2025-01-03", "120"), ("2025-01-09", "7")):
        quote = SubmittedPrice(security_id="OLD", price_date=pipeline.day(day), price=D(price), currency="USD")
        pipeline.record_reference(RawPrice(market_price=quote))
    pipeline.record(
        transaction("BUY", security_id="OLD", quantity=D(10), price=D(100), transaction_date="2025-01-02"),
        transaction("SYMBOL_CHANGE", security_id="OLD", target_security_id="NEW", transaction_date="2025-01-06"),
        transaction("SPLIT", security_id="NEW", ratio_new=D(2), ratio_old=D(1), transaction_date="2025-01-08"),
    )
    pipeline.calculate("P1")

    with one_snapshot():
        snapshot = snapshot_of(state=state_of(portfolio_id="P1"), as_of=pipeline.day("2025-01-10"))
        (position,) = portfolio_answer(snapshot, closed=False)["positions"]

    # Quoted 120 before the change; 2:1 since: 60 a unit for 20 of them.
    assert (position["security_id"], position["price"], position["market_value"]) == ("NEW", "60", "1200")
