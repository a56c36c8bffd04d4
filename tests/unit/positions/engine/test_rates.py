"""The market rate of a day: direct at any age, else inverse, else crossed through EUR, USD, or the alphabetically first."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import exact
from positions.engine.rates import RateTable

D = Decimal


def day(number):
    return datetime.date(2025, 1, 1) + datetime.timedelta(days=number - 1)


def table(*quotes):
    """Quotes such as ("EUR/USD", 2, "1.10"): of 2 January."""
    rates = RateTable()
    for pair, number, rate in quotes:
        from_currency, to_currency = pair.split("/")
        rates.put(from_currency, to_currency, day(number), D(rate))
    return rates


def market(rates, pair, number):
    from_currency, to_currency = pair.split("/")
    rate = rates.market(from_currency, to_currency, day(number))
    return None if rate is None else rate.value


def test_a_currency_in_itself_is_one_and_fresh():
    rate = table().market("USD", "USD", day(2))
    assert (rate.value, rate.quoted_date) == (D(1), day(2))


def test_the_last_quote_on_or_before_the_day_counts_and_never_a_later_one():
    rates = table(("EUR/USD", 2, "1.10"), ("EUR/USD", 5, "1.20"))
    assert [market(rates, "EUR/USD", n) for n in (1, 2, 4, 5, 400)] == [
        None,
        D("1.10"),
        D("1.10"),
        D("1.20"),
        D("1.20"),
    ]


@pytest.mark.parametrize(("age", "stale"), [(0, False), (7, False), (8, True), (4000, True)])
def test_a_quote_goes_stale_after_seven_days(age, stale):
    rate = table(("EUR/USD", 1, "1.10")).market("EUR", "USD", day(1 + age))
    assert rate.stale_on(day(1 + age)) is stale


def test_a_direct_quote_of_any_age_comes_before_a_fresh_inverse_one():
    assert market(table(("EUR/USD", 1, "1.5"), ("USD/EUR", 900, "0.8")), "EUR/USD", 900) == D("1.5")


def test_an_inverse_quote_comes_before_a_cross():
    rates = table(("GBP/CHF", 1, "0.5"), ("CHF/EUR", 9, "1"), ("EUR/GBP", 9, "1"))
    assert market(rates, "CHF/GBP", 9) == D(2)


def test_a_direct_quote_of_tomorrow_does_not_hide_the_inverse_of_today():
    assert market(table(("EUR/USD", 3, "1.5"), ("USD/EUR", 2, "0.8")), "EUR/USD", 2) == D("1.25")


@pytest.mark.parametrize(
    ("through", "expected"),
    [(["EUR", "USD", "AUD"], "2"), (["USD", "AUD", "ZAR"], "3"), (["CAD", "AUD", "ZAR"], "5"), (["ZAR"], "11")],
)
def test_the_cross_prefers_the_euro_then_the_dollar_then_the_alphabet(through, expected):
    legs = {"EUR": "2", "USD": "3", "AUD": "5", "CAD": "7", "ZAR": "11"}
    quotes = [quote for name in through for quote in ((f"CHF/{name}", 1, legs[name]), (f"{name}/GBP", 1, "1"))]
    assert market(table(*quotes), "CHF/GBP", 1) == D(expected)


def test_a_currency_with_one_leg_is_passed_over():
    rates = table(("CHF/EUR", 1, "9"), ("CHF/USD", 1, "3"), ("USD/GBP", 1, "1"))
    assert market(rates, "CHF/GBP", 1) == D(3)


def test_a_leg_may_be_inverse_and_the_cross_is_as_old_as_its_older_leg():
    rates = table(("EUR/CHF", 1, "0.8"), ("GBP/EUR", 9, "1.25"))
    rate = rates.market("CHF", "GBP", day(9))
    assert (rate.value, rate.quoted_date) == (D(1), day(1))


def test_no_cross_goes_through_two_currencies():
    assert market(table(("CHF/EUR", 1, "1"), ("EUR/USD", 1, "1"), ("USD/GBP", 1, "1")), "CHF/GBP", 1) is None


def test_a_cross_with_the_euro_or_dollar_at_an_end():
    rates = table(("EUR/CHF", 1, "0.8"), ("CHF/JPY", 1, "150"), ("USD/CHF", 1, "0.9"))
    assert market(rates, "EUR/JPY", 1) == D(120)
    # 1 JPY is 1/150 CHF, and 1 CHF is 1/0.9 USD: 1/135, to the 60 digits that are carried.
    with exact():
        assert abs(market(rates, "JPY/USD", 1) - D(1) / 135) < D("1e-58")


def test_a_quote_that_arrives_late_is_seen_at_once_and_one_of_the_same_day_replaces():
    rates = table(("EUR/USD", 5, "1.2"))
    assert market(rates, "EUR/USD", 4) is None
    rates.put("EUR", "USD", day(3), D("1.1"))
    assert market(rates, "EUR/USD", 4) == D("1.1")
    rates.put("EUR", "USD", day(3), D("1.15"))
    assert market(rates, "EUR/USD", 4) == D("1.15")
    assert market(rates, "USD/EUR", 5) == market(table(("EUR/USD", 5, "1.2")), "USD/EUR", 5)


@given(
    quotes=st.lists(
        st.tuples(
            st.sampled_from(["EUR/USD", "USD/EUR", "CHF/EUR", "USD/CHF", "GBP/CHF"]),
            st.integers(1, 30),
            st.decimals("0.1", "9", places=4),
        ),
        max_size=12,
    ),
    asked=st.tuples(st.sampled_from(["EUR/USD", "CHF/USD", "GBP/USD", "GBP/EUR"]), st.integers(1, 30)),
)
def test_the_order_in_which_quotes_of_different_days_arrive_makes_no_difference(quotes, asked):
    of_days = {(pair, number): (pair, number, rate) for pair, number, rate in quotes}
    with exact():
        assert market(table(*of_days.values()), *asked) == market(table(*reversed(of_days.values())), *asked)
