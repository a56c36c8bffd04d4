"""What holdings are worth and gain day by day adds up to the portfolio's days, over random histories of every type."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from itertools import pairwise

import pytest

from portfolio.amounts import number_of
from portfolio.money import ZERO, exact
from positions.analytics.gains import parts_of
from positions.analytics.history import History
from positions.analytics.returns import time_weighted_return
from positions.analytics.series import daily_values, worth_changes, worths
from positions.analytics.unavailable import Unavailable, unavailable
from positions.models import PortfolioState
from positions.periods.segments import holding_name
from positions.valuing.timelines import Span, read_histories
from tests.functional.test_analysis_api import deposit
from tests.histories import METHODS, a_history
from tests.integration.positions.test_reconciliation import quotes, recorded
from tests.pipeline import record_reference, transaction

pytestmark = pytest.mark.django_db(transaction=True)

FIRST, LAST = datetime.date(2024, 12, 31), datetime.date(2025, 2, 3)


def a_random_history(seed: int) -> tuple[History, random.Random]:
    """A history with its market, now and then without some of it."""
    choose = random.Random(seed)
    market = list(quotes(choose))
    record_reference(*choose.sample(market, len(market) - choose.choice([0, 0, 4])))
    recorded(
        *a_history(seed, 30),
        base_currency=choose.choice(["USD", "EUR", "CHF"]),
        cash_mode=choose.choice(["TRACKED", "UNTRACKED"]),
        allow_short=choose.random() < 0.5,
        fees_in_cost=choose.random() < 0.5,
        cost_basis_method=choose.choice(METHODS),
    )
    state = PortfolioState.objects.get(portfolio_id="P1")
    (history,) = read_histories([Span("P1", FIRST, LAST)], states={"P1": state})
    return history, choose


def agree(one: Decimal, other: Decimal) -> bool:
    with exact():
        return (one.is_nan() and other.is_nan()) or abs(one - other) < Decimal("1e-12")


@pytest.mark.parametrize("seed", range(30))
def test_values_and_gains_of_the_holdings_are_those_of_the_days(seed):
    history, choose = a_random_history(seed)
    start = FIRST + datetime.timedelta(days=choose.randint(0, 20))
    days = daily_values(history, start, start + datetime.timedelta(days=choose.randint(1, 14)))

    parts = parts_of(history, days, name_of=holding_name)

    with exact():
        for number, day in enumerate(days):
            assert agree(sum((part.values[number] for part in parts.by_name.values()), ZERO), day.value), day
            if number:
                before = days[number - 1]
                result = day.value + day.outflow - before.value - day.inflow
                gained = sum((part.gains[number] for part in parts.by_name.values()), ZERO)
                inflows = sum((part.inflows[number] for part in parts.by_name.values()), ZERO)
                assert agree(inflows, day.inflow), day
                assert agree(gained, result) or (before.value + day.value).is_nan(), day
                assert not gained.is_nan() or parts.missing.get(number) or day.missing or before.missing
    told = time_weighted_return(days).time_weighted_return
    contributed = parts.contribution().time_weighted_return
    if isinstance(told, Unavailable) or _lost_more_than_all(days):
        # Of growth below zero there is no logarithm.
        assert isinstance(contributed, Unavailable)
    else:
        assert isinstance(contributed, Decimal)
        assert agree(told, contributed)


def _lost_more_than_all(days):
    return any(day.value + day.outflow < 0 < before.value + day.inflow for before, day in pairwise(days))


@pytest.mark.parametrize("seed", range(30, 50))
def test_the_days_on_which_a_worth_changes_tell_all_days(seed):
    history, _ = a_random_history(seed)

    with exact():
        for key in history.timelines:
            changes = dict(worth_changes(history, key, FIRST, LAST))
            standing, told = ZERO, dict(worths(history, key, FIRST, LAST))
            for number in range((LAST - FIRST).days + 1):
                if number in changes:
                    standing = number_of(changes[number].value)
                expected = number_of(told[number].value) if number in told else ZERO
                assert agree(standing, expected), (key, number)


def test_what_was_unknown_all_the_time_has_not_gained_nothing():
    # A unit came in kind and never had a price: nobody can say that it stayed what it was worth.
    recorded(
        deposit("2025-01-02", 100),
        transaction("TRANSFER_IN", transaction_date="2025-01-02", security_id="AAA", quantity=Decimal(1)),
    )
    state = PortfolioState.objects.get(portfolio_id="P1")
    start, end = datetime.date(2025, 1, 10), datetime.date(2025, 1, 20)
    (history,) = read_histories([Span("P1", start, end)], states={"P1": state})
    found = parts_of(history, daily_values(history, start, end), name_of=holding_name).contribution()

    (of_aaa,) = (one for one in found.holdings if one.holding == "AAA")
    assert found.time_weighted_return == of_aaa.gain == unavailable("MISSING_PRICE")
