"""What is booked again of a portfolio when something late arrives, and that it comes out as if all were booked anew."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portfolio.streaming.messages import (
    Message,
    RawInstrument,
    RawPortfolio,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedRate,
    SubmittedTransaction,
)
from positions import operations
from positions.models import BookingException, CashMovement, PortfolioState, Position, PositionChange, PositionDay
from tests import pipeline
from tests.histories import METHODS, a_history
from tests.pipeline import transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal


@pytest.fixture
def anew(monkeypatch) -> list[str]:
    """The portfolios that were booked anew as a whole, in the order in which they were."""
    booked: list[str] = []
    original = operations.book_portfolio

    def noting(terms, *arguments, **options):
        if options["anew"]:
            booked.append(terms.portfolio_id)
        return original(terms, *arguments, **options)

    monkeypatch.setattr(operations, "book_portfolio", noting)
    return booked


@pytest.fixture
def however_much(monkeypatch) -> None:
    """Components are booked again however much of the portfolio they are."""
    monkeypatch.setattr("positions.components.SHARE_BOOKED_ANEW", 10**9)


def forget_everything() -> None:
    pipeline.forget(["P1"])
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE portfolios, instruments, fx_rates, market_marks, reference_versions")


def settle(method: str, cash_mode: str, *, allow_short: bool = False, base_currency: str = "USD") -> None:
    settings = {"cost_basis_method": method, "cash_mode": cash_mode, "allow_short": allow_short}
    portfolio = SubmittedPortfolio(portfolio_id="P1", base_currency=base_currency, **settings)
    pipeline.record_reference(RawPortfolio(portfolio=portfolio))


def rate(day: str, value: str, pair: str = "EUR/USD", version: int = 1) -> RawRate:
    from_currency, to_currency = pair.split("/")
    quote = {"from_currency": from_currency, "to_currency": to_currency, "rate": D(value), "version": version}
    return RawRate(fx_rate=SubmittedRate(rate_date=pipeline.day(day), **quote))


def state_of() -> tuple[Any, ...]:
    names = ("computed_seq", "base_currency", "provisional", "last_date", "last_time_us", "last_rank")
    return PortfolioState.objects.values_list(*names, "last_transaction_id").get(portfolio_id="P1")


def stored() -> tuple[Any, ...]:
    return pipeline.rows_of("P1"), state_of()[1:]


def some_market(choose: random.Random) -> list[Message]:
    """Rates of some days, direct, inverse and such as only a cross can use, some of them corrected; instruments."""
    market: list[Message] = []
    for _ in range(12):
        day, value = f"2025-01-{choose.randint(1, 28):02d}", str(D(choose.randint(80, 150)) / 100)
        pair = choose.choice(["EUR/USD", "EUR/USD", "USD/EUR", "GBP/EUR", "GBP/USD", "CHF/USD", "EUR/CHF"])
        market.append(rate(day, value, pair))
    for security_id, currency in (("BBB", "EUR"), ("CCC", "GBP"), ("AAA", "USD")):
        factor = choose.choice([D(1), D("0.01")])
        instrument = SubmittedInstrument(security_id=security_id, currency=currency, price_factor=factor)
        market.append(RawInstrument(instrument=instrument))
    return market


# --- the law ------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    method=st.sampled_from(METHODS),
    cash_mode=st.sampled_from(["TRACKED", "UNTRACKED", "PROVISIONAL"]),
    allow_short=st.booleans(),
    links=st.booleans(),
    batch=st.integers(1, 6),
)
def test_after_any_arrivals_the_rows_are_those_of_booking_anew(
    seed, method, cash_mode, allow_short, links, batch, however_much
):
    """Transactions, their corrections, rates and attributes in any order, compared after every few of them."""
    forget_everything()
    choose = random.Random(seed)
    if cash_mode != "PROVISIONAL":
        settle(method, cash_mode, allow_short=allow_short, base_currency=choose.choice(["USD", "EUR"]))
    history = a_history(seed, 40)
    arriving: list[Any] = history if links else [unlinked(one) for one in history]
    arriving += [moved(choose, one) for one in choose.sample(arriving, 6)] + some_market(choose)
    choose.shuffle(arriving)
    for start in range(0, len(arriving), batch):
        arrived = arriving[start : start + batch]
        pipeline.record(*[one for one in arrived if isinstance(one, SubmittedTransaction)])
        pipeline.record_reference(*[one for one in arrived if not isinstance(one, SubmittedTransaction)])
        pipeline.calculate("P1")
        if choose.random() < 0.3:
            continue
        incremental = stored()
        pipeline.calculate("P1", rebuild=True)
        assert stored() == incremental


def unlinked(one: SubmittedTransaction) -> SubmittedTransaction:
    """The transaction as one that came from nowhere."""
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return SubmittedTransaction(**fields | {"linked_transaction_id": None, "linked_portfolio_id": None})


def moved(choose: random.Random, one: SubmittedTransaction) -> SubmittedTransaction:
    """A third version: of another day, another security where it is of one, or cancelled."""
    fields = {name: getattr(one, name) for name in one.__struct_fields__} | {"version": 3}
    if one.security_id and not one.target_security_id and not one.linked_transaction_id:
        fields["security_id"] = choose.choice(["AAA", "BBB", "CCC", "DDD"])
    fields["transaction_date"] = f"2025-01-{choose.randint(1, 30):02d}"
    fields["status"] = choose.choice(["BOOKED", "BOOKED", "CANCELLED"])
    return SubmittedTransaction(**fields)
