"""Laws of the statement over random histories of every type: it adds up, for the portfolio and for every holding."""

from __future__ import annotations

import datetime
import json
import random
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from positions.evaluation import evaluate
from tests.histories import CURRENCIES, METHODS, a_history

D = Decimal
TODAY = datetime.date(2025, 3, 1)
seeds = st.integers(0, 2**32)


def a_request(seed: int, **options: Any) -> dict[str, Any]:
    """A random history of January 2025 with prices and rates on random days, and a random period."""
    choose = random.Random(seed)
    days = sorted(choose.sample(range(34), 2))
    start, end = (datetime.date(2024, 12, 31) + datetime.timedelta(days=number) for number in days)
    history = a_history(seed, choose.randint(3, 30))
    return {
        "portfolio": {
            "portfolio_id": "P1",
            "base_currency": choose.choice(["USD", "EUR", "CHF"]),
            "cash_mode": choose.choice(["TRACKED", "UNTRACKED"]),
            "allow_short": choose.random() < 0.5,
            "fees_in_cost": choose.random() < 0.5,
            "cost_basis_method": choose.choice(METHODS),
        },
        "transactions": [json.loads(msgspec.json.encode(one)) for one in history],
        "market_prices": [
            {
                "security_id": security_id,
                "price_date": f"2025-01-{day:02d}" if day > 1 else "2024-12-01",
                "price": str(D(choose.randint(100, 9999)) / 100),
                "currency": currency if choose.random() < 0.9 else "CHF",
            }
            for security_id, currency in CURRENCIES.items()
            for day in [1, *choose.sample(range(2, 29), 3)]
        ],
        "fx_rates": [
            {"from_currency": pair[0], "to_currency": pair[1], "rate_date": f"20{year}-12-31", "rate": rate}
            for pair, rate in ((("USD", "EUR"), "0.91"), (("CHF", "EUR"), "1.07"), (("EUR", "GBP"), "0.86"))
            for year in (19, 24)
        ]
        + [
            {
                "from_currency": "USD",
                "to_currency": "EUR",
                "rate_date": f"2025-01-{day:02d}",
                "rate": str(D(choose.randint(80, 120)) / 100),
            }
            for day in choose.sample(range(1, 29), 8)
        ],
        "start": start.isoformat(),
        "end": end.isoformat(),
        **options,
    }


def answered(request: dict[str, Any]) -> dict[str, Any]:
    return evaluate(json.dumps(request).encode(), today=TODAY)


def number(figure: Any) -> Decimal:
    assert isinstance(figure, str), figure
    return D(figure)


@settings(max_examples=150, deadline=None)
@given(seed=seeds)
def test_the_statement_of_any_history_adds_up(seed):
    """opening + inflows - outflows + price gain + FX gain + income - fees - taxes = closing, each by itself."""
    answer = answered(a_request(seed))["statement"]

    opening, closing = number(answer["opening"]), number(answer["closing"])
    gained = sum(number(answer[name]) for name in ("price_gain", "fx_gain", "income"))
    spent = number(answer["fees"]) + number(answer["taxes"])
    flows = number(answer["inflows"]) - number(answer["outflows"])
    assert abs(opening + flows + gained - spent - closing) < D("1e-8")
    assert abs(number(answer["residual"])) < D("1e-8")
    realized = number(answer["realized_gain"]) + number(answer["unrealized_gain_change"])
    assert abs(realized - number(answer["price_gain"]) - number(answer["fx_gain"])) < D("1e-12")


@settings(max_examples=150, deadline=None)
@given(seed=seeds)
def test_every_holding_adds_up_and_together_they_are_the_portfolio(seed):
    answer = answered(a_request(seed))["statement"]

    rows = answer["holdings"]
    for row in rows:
        moved = number(row["money_in"]) - number(row["money_out"])
        gained = number(row["price_gain"]) + number(row["fx_gain"])
        assert abs(number(row["opening"]) + moved + gained - number(row["closing"])) < D("1e-8"), row
    for name in ("opening", "closing", "price_gain", "fx_gain", "income", "fees", "taxes"):
        assert sum(number(row[name]) for row in rows) == number(answer[name])
    # What moved between holdings cancels: the rest is what crossed the border, and what income, fees and taxes moved.
    moved = sum((number(row["money_in"]) - number(row["money_out"]) for row in rows), D(0))
    beside = number(answer["income"]) - number(answer["fees"]) - number(answer["taxes"])
    assert abs(moved - (number(answer["inflows"]) - number(answer["outflows"]) + beside)) < D("1e-8")


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_what_a_period_closes_with_is_what_the_positions_say(seed):
    request = a_request(seed)
    answer = answered({**request, "as_of": request["end"]})

    assert answer["statement"]["closing"] == answer["totals"]["value"]
    assert answer["performance"]["series"][-1]["value"] == answer["totals"]["value"]


@settings(max_examples=60, deadline=None)
@given(seed=seeds, method=st.sampled_from(METHODS))
def test_the_cost_method_says_which_gains_are_realised_and_changes_nothing_else(seed, method):
    """Nor do price and FX gain part the same way: the cost that exchange works on is that of other lots."""
    request = a_request(seed)
    ours, other = answered(request)["statement"], answered({**request, "cost_method": method})["statement"]

    for name in ("opening", "closing", "inflows", "outflows", "income", "fees", "taxes"):
        assert ours[name] == other[name]
    gained = [number(one["price_gain"]) + number(one["fx_gain"]) for one in (ours, other)]
    assert abs(gained[0] - gained[1]) < D("1e-8")


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_periods_one_after_the_other_add_up_to_the_whole(seed):
    request = a_request(seed)
    start, end = (datetime.date.fromisoformat(request[name]) for name in ("start", "end"))
    middle = (start + (end - start) / 2).isoformat()
    whole = answered(request)["statement"]
    first, second = answered({**request, "end": middle}), answered({**request, "start": middle})

    for name in ("inflows", "outflows", "price_gain", "fx_gain", "income", "fees", "taxes", "realized_gain"):
        parts = number(first["statement"][name]) + number(second["statement"][name])
        assert abs(parts - number(whole[name])) < D("1e-12"), name


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_the_days_of_a_period_carry_its_flows(seed):
    """The statement's flows are the sum of the days' own; a day's value is the next one's beginning."""
    answer = answered(a_request(seed))

    series, statement = answer["performance"]["series"], answer["statement"]
    assert len(series) == (statement["end"] - statement["start"]).days
    assert [one["date"] for one in series] == sorted(one["date"] for one in series)
