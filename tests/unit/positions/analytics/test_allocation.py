"""What a portfolio consists of, shorts apart, and how much hangs on how few."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import UNKNOWN, ZERO
from positions.analytics.allocation import Concentration, Exposure, Share, allocation, concentration
from positions.analytics.unavailable import unavailable

D = Decimal
SECTORS = {"AAPL": "Technology", "MSFT": "Technology", "XOM": "Energy", "USD": "Cash", "TSLA": "Cars"}


def held(**values):
    return [Exposure(name, D(value)) for name, value in values.items()]


def by_sector(exposures):
    return allocation(exposures, key=lambda exposure: SECTORS[exposure.holding])


def test_weights_are_of_what_is_held_long():
    found = by_sector(held(AAPL=300, MSFT=200, XOM=400, USD=100))

    assert found.gross_assets == 1000
    assert [(share.key, share.long, share.weight) for share in found.shares] == [
        ("Technology", D(500), D("0.5")),
        ("Energy", D(400), D("0.4")),
        ("Cash", D(100), D("0.1")),
    ]


def test_shorts_stand_apart_and_within_their_key():
    found = by_sector(held(AAPL=800, MSFT=-100, TSLA=-300, USD=200))

    assert found.gross_assets == 1000
    assert found.shares == (
        Share("Technology", D(800), D(-100), D("0.8"), D("-0.1")),
        Share("Cash", D(200), ZERO, D("0.2"), ZERO),
        Share("Cars", ZERO, D(-300), ZERO, D("-0.3")),
    )


def test_an_unknown_value_leaves_its_key_without_one_and_all_without_weights():
    found = by_sector([*held(AAPL=300), Exposure("XOM", UNKNOWN, "MISSING_PRICE")])
    why = unavailable("MISSING_PRICE")

    assert found.gross_assets == why
    assert found.shares == (Share("Technology", D(300), ZERO, why, why), Share("Energy", why, why, why, why))
    assert concentration([Exposure("XOM", UNKNOWN, "MISSING_PRICE")]) == Concentration(why, why, why)


@pytest.mark.parametrize("exposures", [held(TSLA=-5), held(USD=0)])
def test_where_nothing_is_held_long_there_are_no_weights(exposures):
    none = unavailable("NO_CAPITAL")

    assert by_sector(exposures).shares[0].weight == none
    assert concentration(exposures) == Concentration(none, none, none)


def test_an_empty_portfolio_has_no_concentration():
    none = unavailable("NO_CAPITAL")

    assert by_sector([]).shares == ()
    assert concentration([]) == Concentration(none, none, none)


def test_concentration_by_hand():
    # 0.5^2 + 0.3^2 + 0.2^2 = 0.38; the short holding is no part of it.
    found = concentration(held(AAPL=50, MSFT=30, XOM=20, TSLA=-40))

    assert found == Concentration(D("0.38"), D(1), D(1))


def test_equal_holdings_have_an_index_of_one_over_their_number():
    found = concentration([Exposure(str(number), D(7)) for number in range(20)])

    assert found == Concentration(D("0.05"), D("0.25"), D("0.5"))


@pytest.mark.parametrize("count", [3, 6, 7, 9])
def test_the_ten_largest_of_fewer_are_all_of_it(count):
    """Their weights, rounded, need not add up to 1."""
    assert concentration([Exposure(str(number), D(7)) for number in range(count)]).top_10 == 1


@given(st.lists(st.decimals("-1000", "1000", places=2), max_size=30))
def test_weights_add_up_to_one_and_shorts_to_what_is_short(values):
    exposures = [Exposure(str(number), value) for number, value in enumerate(values)]
    shares = allocation(exposures, key=lambda exposure: exposure.holding[-1]).shares
    long, short = sum(value for value in values if value > 0), sum(value for value in values if value < 0)
    weights = [share.weight for share in shares if isinstance(share.weight, Decimal)]
    short_weights = [share.short_weight for share in shares if isinstance(share.short_weight, Decimal)]

    assert len(weights) == len(short_weights) == (len(shares) if long else 0)
    if long:
        assert sum(weights) == pytest.approx(1, abs=D("1e-16"))
        assert sum(short_weights) == pytest.approx(short / long, abs=D("1e-16"))
