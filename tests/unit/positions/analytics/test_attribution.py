"""Why a portfolio did better than its benchmark: a published example, and effects that add up."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import UNKNOWN, ZERO, exact
from positions.analytics.attribution import Attribution, AttributionPeriod, Effects, Segment, attribution
from positions.analytics.unavailable import Unavailable

D = Decimal
FIRST = datetime.date(2025, 1, 31)


def segment(name, weight, rate, benchmark_weight, benchmark_rate):
    weight, rate = D(weight), D(rate)
    theirs = None if benchmark_rate is None else D(benchmark_rate)
    return Segment(name, weight, weight * rate, D(benchmark_weight), theirs)


def period(*segments, number=0):
    return AttributionPeriod(FIRST + datetime.timedelta(days=30 * number), segments)


EQUITIES_AND_CASH = period(
    segment("Equities", "0.9", "0.05", "0.7", "0.03"),
    segment("Cash", "0.1", "0.01", "0.3", "0.01"),
)
"""The example of Wikipedia's "Performance attribution": 4.60 % against 2.40 %."""


def test_the_two_sectors_of_the_published_example():
    # Published: allocation 0.40 %, selection 1.40 %, interaction 0.40 %, 2.20 % in all. By sector, B being 2.4 %:
    # Equities 0.2 * (3 - 2.4) = 0.12, 0.7 * (5 - 3) = 1.40, 0.2 * (5 - 3) = 0.40; cash -0.2 * (1 - 2.4) = 0.28.
    found = attribution([EQUITIES_AND_CASH])

    assert (found.portfolio_return, found.benchmark_return) == (D("0.046"), D("0.024"))
    assert found.active_return == D("0.022")
    assert found.segments == (
        Effects("Cash", D("0.0028"), ZERO, ZERO),
        Effects("Equities", D("0.0012"), D("0.014"), D("0.004")),
    )
    assert found.periods[0].segments == found.segments[::-1]


def test_periods_are_linked_by_carino():
    # The example twice: 1.046^2 - 1.024^2 = 0.04554. Both periods have one factor, 0.04554 / 0.044 = 1.035.
    found = attribution([EQUITIES_AND_CASH, EQUITIES_AND_CASH])
    equities = found.segments[1]

    assert found.active_return == D("0.04554")
    assert equities.selection == pytest.approx(2 * D("0.014") * D("1.035"), abs=D("1e-17"))
    assert equities.total == pytest.approx(2 * D("0.0192") * D("1.035"), abs=D("1e-17"))


def test_a_segment_the_benchmark_does_not_hold_is_compared_with_all_of_it():
    # Gold, 20 %, made 9 % where the benchmark made 2 %: no allocation, all interaction, 0.2 * (9 - 2).
    found = attribution([period(segment("Bonds", "0.8", "0.02", 1, "0.02"), segment("Gold", "0.2", "0.09", 0, None))])

    assert found.segments[1] == Effects("Gold", ZERO, ZERO, D("0.014"))


def test_a_segment_that_was_not_held_is_allocation_alone():
    found = attribution([period(segment("A", 1, "0.01", "0.5", "0.01"), segment("B", 0, 0, "0.5", "0.05"))])

    # B: -0.5 * (5 - 3) = -1 %; A: 0.5 * (1 - 3) = -1 %.
    assert found.segments == (Effects("A", D("-0.01"), ZERO, ZERO), Effects("B", D("-0.01"), ZERO, ZERO))


def test_what_was_gained_without_an_opening_weight_is_interaction():
    bought = Segment("B", ZERO, D("0.003"), D("0.5"), D("0.05"))
    found = attribution([period(segment("A", 1, "0.01", "0.5", "0.01"), bought)])

    assert found.segments[1] == Effects("B", D("-0.01"), ZERO, D("0.003"))
    assert found.active_return == D("-0.017")


def test_published_weights_are_freed_of_their_rounding():
    thirds = [segment(name, D(1) / 4, "0.03", "0.3333", "0.03") for name in "ABC"]
    found = attribution([period(*thirds, segment("D", D(1) / 4, "0.03", 0, None))])

    assert found.benchmark_return == D("0.03")


@pytest.mark.parametrize(
    ("periods", "why"),
    [
        ([], "NO_BENCHMARK"),
        ([period(segment("A", 1, "0.01", "0.5", "0.01"))], "NO_BENCHMARK"),
        ([period(segment("A", 1, "0.01", 1, None))], "NO_BENCHMARK"),
        ([period(segment("A", 1, "0.01", "NaN", "0.01"))], "NO_BENCHMARK"),
        ([AttributionPeriod(FIRST, [Segment("A", D(1), UNKNOWN, D(1), ZERO)], "MISSING_PRICE")], "MISSING_PRICE"),
        ([EQUITIES_AND_CASH, period(segment("A", 1, "-1.2", 1, "0.01"))], "NEGATIVE_CAPITAL"),
        ([EQUITIES_AND_CASH, period(segment("A", 1, "-0.2", 1, "-1"))], "NEGATIVE_CAPITAL"),
    ],
)
def test_where_it_cannot_be_told_it_says_why(periods, why):
    found = attribution(periods)

    assert isinstance(found.active_return, Unavailable)
    assert found.active_return.code == why
    assert found == Attribution(found.active_return, found.active_return, found.active_return)


def test_the_portfolios_own_weights_must_be_whole():
    with pytest.raises(ValueError, match=r"2025-01-31 add up to 0\.9"):
        attribution([period(segment("A", "0.9", "0.01", 1, "0.01"))])


def test_a_portfolio_that_lost_everything_is_attributed_too():
    found = attribution([EQUITIES_AND_CASH, period(segment("A", 1, -1, 1, "0.01"))])

    assert found.active_return == D(-1) - (D("1.024") * D("1.01") - 1)
    assert sum(effects.total for effects in found.segments) == pytest.approx(found.active_return, abs=D("1e-15"))


whole_numbers = st.lists(st.integers(1, 100), min_size=3, max_size=3)
rates = st.lists(st.decimals("-0.3", "0.5", places=4), min_size=3, max_size=3)


@given(months=st.lists(st.tuples(whole_numbers, rates, whole_numbers, rates), min_size=1, max_size=12))
def test_the_effects_add_up_to_the_active_return(months):
    with exact():
        periods = [
            AttributionPeriod(
                FIRST,
                [
                    Segment(name, D(w) / sum(ours), D(w) / sum(ours) * r, D(b) / sum(theirs), rb)
                    for name, w, r, b, rb in zip("ABC", ours, returns, theirs, benchmark, strict=True)
                ],
            )
            for ours, returns, theirs, benchmark in months
        ]
        found = attribution(periods)
        assert isinstance(found.active_return, Decimal)
        assert abs(sum(effects.total for effects in found.segments) - found.active_return) <= D("1e-10")
        for single in found.periods:
            effects = sum(one.total for one in single.segments)
            assert abs(effects - (single.portfolio_return - single.benchmark_return)) <= D("1e-40")
