"""Portfolios as one: what goes from one to another is nobody's flow, and is theirs while it is on its way."""

from __future__ import annotations

import datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portfolio.money import UNKNOWN, ZERO, exact, rounded
from positions.analytics.days import Day
from positions.analytics.groups import Leg, Transfer, added_up, converted, within_group
from positions.analytics.money_weighted import money_weighted_return
from positions.analytics.returns import modified_dietz, time_weighted_return
from positions.analytics.unavailable import unavailable
from positions.engine.rates import RateTable

D = Decimal
FIRST = datetime.date(2025, 1, 1)


def date(number):
    return FIRST + datetime.timedelta(days=number)


def day(number, value, inflow=0, outflow=0, **more):
    return Day(date(number), D(value), cash=D(value), inflow=D(inflow), outflow=D(outflow), **more)


def transfer(left, came, flow, arrived=None, *, in_kind=False):
    """From A to B; `left` and `came` are numbers of days."""
    worth = flow if arrived is None else arrived
    return Transfer(Leg("A", date(left), D(flow)), Leg("B", date(came), D(worth)), in_kind)


def together(a, b, *transfers):
    return added_up([within_group(a, "A", transfers), within_group(b, "B", transfers)])


def figures(days):
    return [(of.value, of.inflow, of.outflow) for of in days]


def twr(days):
    return time_weighted_return(days).time_weighted_return


# --- by hand ------------------------------------------------------------------------------------------------------


def test_a_transfer_of_one_day_is_no_flow_and_does_not_dilute_the_days_return():
    # 1,000 each; A gives 400 to B, which gains 200 that day: 2,200 of 2,000 is 10 %.
    a, b = [day(0, 1000), day(1, 600, 0, 400)], [day(0, 1000), day(1, 1600, 400, 0)]

    assert figures(together(a, b, transfer(1, 1, 400))) == [(D(2000), ZERO, ZERO), (D(2200), ZERO, ZERO)]
    assert twr(together(a, b, transfer(1, 1, 400))) == D("0.1")
    # Counted as flows it would be (2,200 + 400) / (2,000 + 400) - 1 = 8.33 %.
    assert round(twr(together(a, b)), 4) == D("0.0833")


def test_what_is_on_its_way_is_still_the_groups():
    # A gives 400 on day 1, B has it on day 3.
    a = [day(0, 1000), day(1, 600, 0, 400), day(2, 600), day(3, 600)]
    b = [day(0, 1000), day(1, 1000), day(2, 1000), day(3, 1400, 400)]
    days = together(a, b, transfer(1, 3, 400))

    assert figures(days) == [(D(2000), ZERO, ZERO)] * 4
    assert [of.cash for of in days] == [D(2000)] * 4
    assert (twr(days), modified_dietz(days)) == (ZERO, ZERO)


def test_units_on_their_way_are_securities_at_what_they_were_worth_when_they_left():
    # 400 leave; when they come, two days later, the price has risen by a tenth: 440, 40 of 1,000 gained that day.
    a = [Day(date(n), D(400 if n == 0 else 0), securities=D(400 if n == 0 else 0)) for n in range(4)]
    a[1] = Day(date(1), ZERO, outflow=D(400))
    b = [day(0, 600), day(1, 600), day(2, 600), Day(date(3), D(1040), securities=D(440), cash=D(600), inflow=D(440))]
    days = together(a, b, transfer(1, 3, 400, 440, in_kind=True))

    assert figures(days) == [(D(1000), ZERO, ZERO)] * 3 + [(D(1040), ZERO, ZERO)]
    assert [(of.securities, of.cash) for of in days] == [(D(400), D(600))] * 3 + [(D(440), D(600))]
    assert twr(days) == D("0.04")


def test_what_is_on_its_way_when_the_period_begins_or_ends_is_in_its_value():
    a, b = [day(n, 600) for n in (2, 3)], [day(2, 1000), day(3, 1400, 400)]
    assert figures(together(a, b, transfer(1, 3, 400))) == [(D(2000), ZERO, ZERO)] * 2

    a, b = [day(0, 1000), day(1, 600, 0, 400)], [day(0, 1000), day(1, 1000)]
    assert figures(together(a, b, transfer(1, 3, 400))) == [(D(2000), ZERO, ZERO)] * 2


def test_only_the_transfers_part_of_a_days_flows_is_taken_out():
    # A gives 400 to B and 100 to its owner, who puts 50 into B.
    a, b = [day(0, 1000), day(1, 500, 0, 500)], [day(0, 1000), day(1, 1450, 450)]

    assert figures(together(a, b, transfer(1, 1, 400)))[1] == (D(1950), D(50), D(100))


def test_a_transfer_of_unknown_worth_leaves_the_group_without_a_return():
    a = [day(0, 1000), Day(date(1), D(600), outflow=UNKNOWN, missing="MISSING_FX_RATE")]
    b = [day(0, 1000), day(1, 1400, 400)]
    leaves = Transfer(Leg("A", date(1), UNKNOWN), Leg("B", date(1), D(400)), in_kind=False)

    assert twr(together(a, b, leaves)) == unavailable("MISSING_FX_RATE")


def test_what_is_on_its_way_is_converted_at_the_rate_of_each_day():
    # 100 EUR leave at 1.0 and are on their way for a day on which a euro is worth 1.2: 20 of 100 gained.
    rates = RateTable()
    rates.put("EUR", "USD", date(0), D(1))
    rates.put("EUR", "USD", date(2), D("1.2"))
    a = [day(0, 100), day(1, 0, 0, 100), day(2, 0), day(3, 0)]
    b = [day(0, 0), day(1, 0), day(2, 0), day(3, 120, 120)]
    transfers = [transfer(1, 3, 100, 120)]
    in_dollars = converted(within_group(a, "A", transfers), "EUR", "USD", rates)
    days = added_up([in_dollars, within_group(b, "B", transfers)])

    assert figures(days) == [(D(100), ZERO, ZERO)] * 2 + [(D(120), ZERO, ZERO)] * 2
    assert twr(days) == D("0.2")


# --- laws ---------------------------------------------------------------------------------------------------------

money = st.decimals("0", "1000", places=2)
moves = st.decimals("-0.5", "0.5", places=3)


def walk(steps, *, growing):
    """Days of A, of B and of one portfolio that holds all of theirs, and the transfers. A step is what is put into A, the
    part of B that is taken out, how both grow that day, the part of A that goes to B, and how many days later it comes.

    A transfer is worth the same when it comes; whoever holds everything has nothing on its way.
    """
    a, b, sent = D(1000), D(1000), dict[int, Decimal]()
    on_their_way, transfers, days = ZERO, list[Transfer](), [(day(0, a), day(0, b), day(0, a + b))]
    for number, (put_in, taken_out, grows_a, grows_b, part, lag) in enumerate(steps, 1):
        a = rounded((a + put_in) * (1 + grows_a * growing))
        b = rounded(b * (1 + grows_b * growing))
        out, given = rounded(b * taken_out), rounded(a * part)
        a, b = a - given, b - out
        sent[number + lag] = sent.get(number + lag, ZERO) + given
        transfers.append(transfer(number, number + lag, given))
        came = sent.pop(number, ZERO)
        b, on_their_way = b + came, on_their_way + given - came
        whole = day(number, a + b + on_their_way, put_in, out)
        days.append((day(number, a, put_in, given), day(number, b, came, out), whole))
    of_a, of_b, of_all = (list(of) for of in zip(*days, strict=True))
    return of_a, of_b, of_all, transfers


def steps(lags):
    parts = st.decimals("0", "0.9", places=2)
    return st.lists(st.tuples(money, parts, moves, moves, parts, lags), min_size=1, max_size=12)


@given(steps=steps(st.just(0)))
def test_a_group_is_one_portfolio_that_holds_everything(steps):
    with exact():
        of_a, of_b, of_all, transfers = walk(steps, growing=1)
    days = together(of_a, of_b, *transfers)

    assert figures(days) == figures(of_all)
    assert twr(days) == twr(of_all)
    assert modified_dietz(days) == modified_dietz(of_all)
    assert money_weighted_return(days) == money_weighted_return(of_all)


@given(steps=steps(st.integers(0, 5)))
def test_at_flat_prices_no_transfer_moves_the_return_however_long_it_takes(steps):
    with exact():
        of_a, of_b, of_all, transfers = walk(steps, growing=0)
    days = together(of_a, of_b, *transfers)

    assert figures(days) == figures(of_all)
    assert twr(days) == ZERO
    assert twr(together(of_a, of_b)) == ZERO
