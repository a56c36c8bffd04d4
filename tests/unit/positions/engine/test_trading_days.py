"""Which days are trading days, told by real holidays."""

from __future__ import annotations

import datetime
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from positions.engine.trading_days import trading_days_between
from positions.evaluation import evaluate

D = datetime.date
days = st.dates(datetime.date(1, 1, 1), datetime.date(2200, 1, 1))


@settings(deadline=None)  # the first calendar asked for loads pandas
@given(after=days, length=st.integers(0, 60), exchange=st.sampled_from([None, "", " ", "the corner shop"]))
def test_without_a_known_exchange_the_days_from_monday_to_friday_are_counted(after, length, exchange):
    until = after + datetime.timedelta(days=length)
    between = [after + datetime.timedelta(days=n) for n in range(1, length + 1)]
    assert trading_days_between(after, until, exchange) == sum(day.weekday() < 5 for day in between)


def test_no_trading_days_lie_between_a_day_and_an_earlier_one():
    assert trading_days_between(D(2025, 1, 9), D(2025, 1, 2)) == 0
    assert trading_days_between(D(2025, 1, 9), D(2025, 1, 2), "XNYS") == 0


@pytest.mark.parametrize(
    ("exchange", "after", "until", "count"),
    [
        # Thanksgiving: Monday 25 November 2024 to Monday 2 December; Thursday the 28th is closed in New York alone.
        pytest.param("XNYS", D(2024, 11, 25), D(2024, 12, 2), 4, id="New York on Thanksgiving"),
        pytest.param("XNAS", D(2024, 11, 25), D(2024, 12, 2), 4, id="and Nasdaq"),
        pytest.param("nyse", D(2024, 11, 25), D(2024, 12, 2), 4, id="under another name, in small letters"),
        pytest.param("XLON", D(2024, 11, 25), D(2024, 12, 2), 5, id="London knows no Thanksgiving"),
        # Easter 2024: Wednesday 27 March to Wednesday 3 April; Good Friday the 29th, Easter Monday 1 April.
        pytest.param("XNYS", D(2024, 3, 27), D(2024, 4, 3), 4, id="Good Friday in New York"),
        pytest.param("XLON", D(2024, 3, 27), D(2024, 4, 3), 3, id="and Easter Monday too in London"),
        pytest.param("", D(2024, 3, 27), D(2024, 4, 3), 5, id="no exchange, no holiday"),
        # The exchange was closed from 11 to 14 September 2001: Monday the 10th to Monday the 17th.
        pytest.param("XNYS", D(2001, 9, 10), D(2001, 9, 17), 1, id="days that no rule foresaw"),
        pytest.param("24/7", D(2024, 11, 25), D(2024, 12, 2), 7, id="what never closes"),
        # Riyadh trades from Sunday to Thursday: Thursday 11 to Sunday 14 January 2024.
        pytest.param("XSAU", D(2024, 1, 11), D(2024, 1, 14), 1, id="a Sunday"),
    ],
)
def test_the_holidays_of_an_exchange_are_no_trading_days(exchange, after, until, count):
    assert trading_days_between(after, until, exchange) == count


@pytest.mark.parametrize("year", [1975, 2075])
def test_beyond_the_years_of_a_calendar_monday_to_friday_are_counted(year):
    # Two weeks around 4 July, a holiday in New York.
    after, until = D(year, 7, 1), D(year, 7, 15)
    assert trading_days_between(after, until, "XNYS") == trading_days_between(after, until) == 10


def test_a_calendar_that_vouches_for_fewer_years_is_asked_for_no_others():
    # Riyadh's calendar starts with 2021; before, its Sundays are no trading days and its Fridays are.
    assert trading_days_between(D(2020, 1, 2), D(2020, 1, 5), "XSAU") == 1


@settings(deadline=None)  # the first calendar asked for loads pandas
@given(start=days, lengths=st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)))
def test_the_trading_days_of_two_periods_add_up(start, lengths):
    middle = start + datetime.timedelta(days=lengths[0])
    end = middle + datetime.timedelta(days=lengths[1])
    for exchange in ("", "XNYS"):
        parts = trading_days_between(start, middle, exchange) + trading_days_between(middle, end, exchange)
        assert parts == trading_days_between(start, end, exchange)


def test_who_asks_for_no_exchange_does_not_load_pandas():
    program = (
        "import datetime, sys; from positions.engine.trading_days import trading_days_between as count;"
        "print(count(datetime.date(2025, 1, 2), datetime.date(2025, 1, 9)), 'pandas' in sys.modules)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).split() == ["5", "False"]


@pytest.mark.parametrize(("exchange", "flags"), [("XNYS", []), ("XLON", ["STALE"]), ("", ["STALE"])])
def test_a_positionis_stale_by_the_trading_days_of_its_instruments_exchange(exchange, flags):
    # Monday 25 November 2024 to Tuesday 3 December: six days from Monday to Friday, five of them in New York.
    request = {
        "portfolio": {"base_currency": "USD"},
        "instruments": [{"security_id": "AAPL", "currency": "USD", "exchange": exchange}],
        "transactions": [
            {
                "transaction_id": "T1",
                "transaction_type": "BUY",
                "security_id": "AAPL",
                "transaction_date": "2024-11-01",
                "quantity": "1",
                "price": "200",
                "currency": "USD",
            }
        ],
        "market_prices": [{"security_id": "AAPL", "price_date": "2024-11-25", "price": "230", "currency": "USD"}],
    }
    answer = evaluate(json.dumps(request).encode(), today=D(2024, 12, 3))
    assert [(p["price"], p["flags"]) for p in answer["positions"]] == [("230", flags)]
