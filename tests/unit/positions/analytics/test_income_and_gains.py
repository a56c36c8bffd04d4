"""What a tax return asks for: income by month and holding, realised gains by year and holding period."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from portfolio.money import UNKNOWN, ZERO
from positions.analytics.income import IncomeFact, IncomeSum, income
from positions.analytics.realized import RealizedDisposal, Term, realized_by_tax_year, term_of
from positions.analytics.unavailable import unavailable

D = Decimal
Date = datetime.date
NO_RATE = unavailable("MISSING_FX_RATE")


def dividend(day, security_id, amount, taxes=0):
    return IncomeFact(Date.fromisoformat(day), security_id, D(amount), D(taxes))


def disposal(acquired, disposed, gain, security_id="AAPL", fx_gain=0):
    return RealizedDisposal(
        security_id,
        Date.fromisoformat(acquired) if acquired else None,
        Date.fromisoformat(disposed),
        D(1),
        D(1000) + D(gain),
        D(1000),
        D(gain),
        D(fx_gain),
    )


# --- income -------------------------------------------------------------------------------------------------------

FACTS = [
    dividend("2025-01-01", "AAPL", 99),
    dividend("2025-01-15", "AAPL", 100, 15),
    dividend("2025-01-31", "MSFT", 50, "7.5"),
    dividend("2025-03-15", "AAPL", 120, 18),
    dividend("2025-03-31", "TSLA", -20),
    dividend("2025-04-01", "AAPL", 77),
]


def test_income_of_the_period_by_month_and_by_holding_with_its_tax():
    found = income(FACTS, start=Date(2025, 1, 1), end=Date(2025, 3, 31))

    assert found.months == (
        IncomeSum("2025-01", D(150), D("22.5"), D("127.5")),
        IncomeSum("2025-03", D(100), D(18), D(82)),
    )
    assert found.holdings == (
        IncomeSum("AAPL", D(220), D(33), D(187)),
        IncomeSum("MSFT", D(50), D("7.5"), D("42.5")),
        IncomeSum("TSLA", D(-20), D(0), D(-20)),
    )
    assert found.total == IncomeSum("", D(250), D("40.5"), D("209.5"))


def test_income_that_cannot_be_converted_is_unknown_where_it_counts():
    facts = [*FACTS[1:3], IncomeFact(Date(2025, 2, 3), "AAPL", UNKNOWN, ZERO)]
    found = income(facts, start=Date(2025, 1, 1), end=Date(2025, 3, 31))

    assert found.months[0].income == D(150)
    assert found.months[1] == IncomeSum("2025-02", NO_RATE, ZERO, NO_RATE)
    assert found.holdings[1] == IncomeSum("MSFT", D(50), D("7.5"), D("42.5"))
    assert found.total.income == NO_RATE


def test_a_period_without_income_has_none():
    found = income([], start=Date(2025, 1, 1), end=Date(2025, 12, 31))

    assert (found.months, found.holdings) == ((), ())
    assert found.total == IncomeSum("", ZERO, ZERO, ZERO)


# --- realised gains -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("acquired", "disposed", "days", "term"),
    [
        ("2024-03-01", "2025-03-01", 365, Term.SHORT),
        ("2024-03-01", "2025-03-02", 366, Term.LONG),
        ("2025-03-01", "2025-03-01", 0, Term.SHORT),
        (None, "2025-03-01", None, Term.UNDATED),
    ],
)
def test_long_term_is_more_than_a_year(acquired, disposed, days, term):
    one = disposal(acquired, disposed, 5)

    assert one.days_held == days
    assert term_of(one) == term


def test_how_many_days_are_long_is_for_the_asker_to_say():
    one = disposal("2025-01-01", "2025-07-01", 5)

    assert term_of(one, long_term_after_days=180) == Term.LONG
    assert term_of(one, long_term_after_days=181) == Term.SHORT


def test_gains_by_year_and_term():
    found = realized_by_tax_year(
        [
            disposal("2020-01-01", "2025-06-30", 300, fx_gain=20),
            disposal("2025-01-10", "2025-06-29", -80),
            disposal("2025-01-10", "2025-12-31", 50),
            disposal(None, "2025-02-01", 7),
            disposal("2020-01-01", "2024-12-31", 1),
        ]
    )

    assert [(year.year, year.first_date, year.last_date) for year in found] == [
        (2024, Date(2024, 1, 1), Date(2024, 12, 31)),
        (2025, Date(2025, 1, 1), Date(2025, 12, 31)),
    ]
    total, by_term = found[1].total, found[1].by_term
    # 300 - 80 + 50 + 7 = 277; what was above zero 357, below 80.
    assert (total.count, total.realized_gain, total.gains, total.losses) == (4, D(277), D(357), D(80))
    assert (total.proceeds, total.cost_basis, total.realized_fx_gain) == (D(4277), D(4000), D(20))
    assert {term: (gains.count, gains.realized_gain) for term, gains in by_term.items()} == {
        Term.SHORT: (2, D(-30)),
        Term.LONG: (1, D(300)),
        Term.UNDATED: (1, D(7)),
    }
    assert [row.disposal.disposal_date for row in found[1].disposals] == [
        Date(2025, 2, 1),
        Date(2025, 6, 29),
        Date(2025, 6, 30),
        Date(2025, 12, 31),
    ]


def test_a_tax_year_may_begin_in_april():
    found = realized_by_tax_year(
        [disposal("2024-01-01", "2025-04-05", 1), disposal("2024-01-01", "2025-04-06", 2)], year_begins=(4, 6)
    )

    assert [(year.year, year.total.realized_gain) for year in found] == [(2024, D(1)), (2025, D(2))]
    assert (found[0].first_date, found[0].last_date) == (Date(2024, 4, 6), Date(2025, 4, 5))


def test_a_gain_without_a_rate_leaves_its_year_and_term_without_a_sum():
    unknown = RealizedDisposal("BBB", Date(2025, 1, 1), Date(2025, 2, 1), D(1), UNKNOWN, D(10), UNKNOWN, UNKNOWN)
    (found,) = realized_by_tax_year([unknown, disposal("2020-01-01", "2025-06-30", 300)])

    assert found.total.realized_gain == NO_RATE
    assert (found.total.gains, found.total.losses) == (NO_RATE, NO_RATE)
    assert found.total.cost_basis == D(1010)
    assert found.by_term[Term.SHORT].proceeds == NO_RATE
    assert found.by_term[Term.LONG].realized_gain == D(300)


def test_without_disposals_there_are_no_years():
    assert realized_by_tax_year([]) == []
