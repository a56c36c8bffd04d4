"""Transfers between portfolios, as stored: what one gives the other takes, whoever is calculated first."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portfolio.streaming.messages import PositionCalculation, RawPortfolio, RawRate, SubmittedPortfolio, SubmittedRate
from positions.calculating.links import wake_followers
from positions.models import BookingException, Lot, Position
from positions.operations import calculate_positions
from tests import pipeline
from tests.histories import METHODS, a_history
from tests.pipeline import transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
PORTFOLIOS = ("P1", "P2", "P3")
RATES = [("2025-01-01", "1.1"), ("2025-01-03", "1.2"), ("2025-01-06", "1.3")]


def settle(methods=None):
    """P1 and P3 are in USD, P2 in EUR; FIFO unless said otherwise."""
    for portfolio_id in PORTFOLIOS:
        pipeline.record_reference(
            RawPortfolio(
                portfolio=SubmittedPortfolio(
                    portfolio_id=portfolio_id,
                    base_currency="EUR" if portfolio_id == "P2" else "USD",
                    cost_basis_method=(methods or {}).get(portfolio_id, "FIFO"),
                )
            )
        )
    for day, rate in RATES:
        date = datetime.date.fromisoformat(day)
        quote = SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=date, rate=D(rate))
        pipeline.record_reference(RawRate(fx_rate=quote))


def bought(portfolio_id: str, quantity: int, price: int, day: str, **fields: Any) -> Any:
    named = {"portfolio_id": portfolio_id, "security_id": "AAA", "quantity": D(quantity), "price": D(price)}
    return transaction("BUY", **named, transaction_date=day, **fields)


def given_away(portfolio_id: str, quantity: int, day: str, transaction_id: str = "O1", **fields: Any) -> Any:
    named = {"portfolio_id": portfolio_id, "security_id": "AAA", "quantity": D(quantity)}
    return transaction("TRANSFER_OUT", **named, transaction_id=transaction_id, transaction_date=day, **fields)


def taken(portfolio_id: str, quantity: int, day: str, giver: str, transaction_id: str = "I1") -> Any:
    named = {"portfolio_id": portfolio_id, "security_id": "AAA", "quantity": D(quantity)}
    link = {"linked_portfolio_id": giver, "linked_transaction_id": "O1", "gross_transaction_amount": D(1)}
    return transaction("TRANSFER_IN", **named, **link, transaction_id=transaction_id, transaction_date=day)


def lots_of(portfolio_id: str) -> list[tuple[Any, ...]]:
    rows = Lot.objects.filter(portfolio_id=portfolio_id).order_by("acquisition_date", "opening_transaction_id")
    return [(str(r.acquisition_date), r.quantity, r.cost_basis, r.cost_basis_base) for r in rows]


def unmatched(portfolio_id: str) -> list[str]:
    rows = BookingException.objects.filter(portfolio_id=portfolio_id, code="TRANSFER_UNMATCHED")
    return list(rows.values_list("transaction_id", flat=True))


@pytest.mark.parametrize("first", ["giver", "receiver"])
def test_lots_arrive_with_cost_and_dates_whoever_is_calculated_first(first):
    settle()
    giving = [bought("P1", 5, 100, "2025-01-02"), bought("P1", 5, 110, "2025-01-03"), given_away("P1", 7, "2025-01-06")]
    taking = [taken("P3", 7, "2025-01-06", "P1")]
    for batch in (giving, taking) if first == "giver" else (taking, giving):
        pipeline.record(*batch)
        pipeline.calculate(batch[0].portfolio_id)

    # 5 for 500 of the 2nd, and 2 of 5 for 220 of the 3rd.
    assert lots_of("P3") == [("2025-01-02", D(5), D(500), D(500)), ("2025-01-03", D(2), D(220), D(220))]
    assert lots_of("P1") == [("2025-01-03", D(3), D(330), D(330))]
    assert unmatched("P3") == []


def test_in_another_base_the_cost_is_told_at_the_rate_of_the_acquisition():
    settle()
    pipeline.record(
        bought("P1", 6, 110, "2025-01-02"),
        bought("P1", 6, 120, "2025-01-03"),
        given_away("P1", 12, "2025-01-06"),
        taken("P2", 12, "2025-01-07", "P1"),
    )
    pipeline.calculate("P1", "P2")

    # 660 USD of the 2nd at 1.10 are 600 EUR; 720 USD of the 3rd at 1.20 are 600 EUR.
    rounded = [(day, quantity, cost, round(base, 12)) for day, quantity, cost, base in lots_of("P2")]
    assert rounded == [("2025-01-02", D(6), D(660), D(600)), ("2025-01-03", D(6), D(720), D(600))]


def test_a_giver_that_changes_is_followed():
    settle()
    pipeline.record(
        bought("P1", 5, 100, "2025-01-02"), given_away("P1", 5, "2025-01-06"), taken("P3", 5, "2025-01-06", "P1")
    )
    pipeline.calculate()
    assert lots_of("P3") == [("2025-01-02", D(5), D(500), D(500))]

    pipeline.record(bought("P1", 5, 90, "2025-01-01"))
    pipeline.calculate("P1")
    assert lots_of("P3") == [("2025-01-01", D(5), D(450), D(450))]

    pipeline.record(given_away("P1", 5, "2025-01-06", version=2, status="CANCELLED"))
    pipeline.calculate("P1")
    # Booked at its own amount, 1.
    assert (lots_of("P3"), unmatched("P3")) == ([("2025-01-06", D(5), D(1), D(1))], ["I1"])


def test_what_makes_no_difference_to_the_receiver_wakes_nobody():
    settle()
    pipeline.record(
        bought("P1", 5, 100, "2025-01-02"), given_away("P1", 5, "2025-01-06"), taken("P3", 5, "2025-01-06", "P1")
    )
    pipeline.calculate()

    pipeline.record(bought("P1", 5, 90, "2025-01-08"))
    requests = {"P1": PositionCalculation(portfolio_id="P1", requested_seq=2**62)}
    calculate_positions(requests, now=pipeline.NOW)

    assert wake_followers(["P1"], now=pipeline.NOW) == []


@pytest.mark.parametrize("order", [("P2", "P3"), ("P3", "P2")])
def test_of_two_that_claim_one_out_the_first_by_booking_order_has_it(order):
    settle()
    pipeline.record(bought("P1", 5, 100, "2025-01-02"), given_away("P1", 5, "2025-01-06"))
    pipeline.calculate("P1")
    claims = {"P2": taken("P2", 5, "2025-01-08", "P1"), "P3": taken("P3", 5, "2025-01-07", "P1")}
    for portfolio_id in order:
        pipeline.record(claims[portfolio_id])
        pipeline.calculate(portfolio_id)

    assert (unmatched("P2"), unmatched("P3")) == (["I1"], [])
    assert Position.objects.get(portfolio_id="P3", kind="SECURITY").cost_basis == D(500)


@pytest.mark.parametrize("other", ["P1", "P3"])
def test_what_a_claim_had_that_is_gone_goes_to_who_wanted_it_too(other):
    """P2 has what P1 gave, and `other` (P1 itself, or a third) wanted it too. P2's transfer is cancelled."""
    settle()
    claim = taken("P2", 5, "2025-01-06", "P1")
    pipeline.record(bought("P1", 5, 100, "2025-01-02"), given_away("P1", 5, "2025-01-06"), claim)
    pipeline.record(taken(other, 5, "2025-01-07", "P1", "I2"))
    pipeline.calculate(*PORTFOLIOS)
    assert unmatched(other) == ["I2"]

    pipeline.record(msgspec.structs.replace(claim, version=2, status="CANCELLED"))
    pipeline.calculate("P2")

    assert unmatched(other) == []
    assert [(day, cost) for day, _, cost, _ in lots_of(other)] == [("2025-01-02", D(500))]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), methods=st.tuples(*[st.sampled_from(METHODS)] * 3), batch=st.integers(1, 12))
def test_any_order_of_arrival_gives_all_portfolios_the_same_rows(seed, methods, batch):
    pipeline.forget(PORTFOLIOS)
    settings_ = dict(zip(PORTFOLIOS, methods, strict=True))
    history = a_history(seed, 60, portfolio_ids=PORTFOLIOS)
    settle(settings_)
    pipeline.record(*history)
    pipeline.calculate(*PORTFOLIOS)
    at_once = {p: pipeline.rows_of(p) for p in PORTFOLIOS}

    pipeline.forget(PORTFOLIOS)
    settle(settings_)
    arriving = list(history)
    random.Random(seed + 1).shuffle(arriving)
    for start in range(0, len(arriving), batch):
        pipeline.record(*arriving[start : start + batch])
        pipeline.calculate(random.Random(start).choice(PORTFOLIOS))
    pipeline.calculate(*PORTFOLIOS)

    assert {p: pipeline.rows_of(p) for p in PORTFOLIOS} == at_once
