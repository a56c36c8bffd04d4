"""Reconciliation: rows that tie say nothing, and whatever is spoilt in them is found and named."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from portfolio.streaming.messages import (
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
)
from positions.analytics.periods import Period
from positions.checking.reconciliation import reconcile
from tests import pipeline
from tests.histories import CURRENCIES, METHODS, a_history
from tests.pipeline import day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
TODAY = datetime.date(2025, 6, 1)


def quotes(choose: random.Random | None = None):
    """Prices and rates of January 2025, on some days; as they are or random."""
    for security_id, currency in CURRENCIES.items():
        yield RawInstrument(instrument=SubmittedInstrument(security_id=security_id, currency=currency))
        for number in choose.sample(range(1, 29), 3) if choose else (10, 20):
            amount = D(choose.randint(100, 9999)) / 100 if choose else D(number)
            yield RawPrice(
                market_price=SubmittedPrice(
                    security_id=security_id, price_date=day(f"2025-01-{number:02}"), price=amount, currency=currency
                )
            )
    for from_currency, to_currency, rate in (("USD", "EUR", "0.9"), ("EUR", "GBP", "0.8"), ("CHF", "EUR", "1.1")):
        for date, more in (("2024-12-31", "0"), ("2025-01-15", "0.05")):
            yield RawRate(
                fx_rate=SubmittedRate(
                    from_currency=from_currency, to_currency=to_currency, rate_date=day(date), rate=D(rate) + D(more)
                )
            )


def recorded(*transactions, **attributes):
    attributes = {"base_currency": "USD", **attributes}
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", **attributes), submitted_by="owner")
    )
    pipeline.record(*transactions, submitted_by="owner")
    pipeline.calculate("P1")
    pipeline.value("P1")


@pytest.fixture
def held():
    """A little of everything: two lots, a sale, a dividend, a merger and cash in two currencies."""
    pipeline.record_reference(*quotes())
    recorded(
        transaction("DEPOSIT", transaction_date="2025-01-02", gross_transaction_amount=D(5000)),
        transaction("BUY", transaction_date="2025-01-03", security_id="AAA", quantity=D(10), price=D(10)),
        transaction("BUY", transaction_date="2025-01-06", security_id="AAA", quantity=D(10), price=D(12)),
        transaction("BUY", transaction_date="2025-01-07", security_id="BBB", quantity=D(5), price=D(9), currency="EUR"),
        transaction("SELL", transaction_date="2025-01-13", security_id="AAA", quantity=D(4), price=D(15)),
        transaction("DIVIDEND", transaction_date="2025-01-14", security_id="AAA", gross_transaction_amount=D(8)),
        transaction(
            "MERGER",
            transaction_date="2025-01-16",
            security_id="AAA",
            target_security_id="CCC",
            ratio_new=D(1),
            ratio_old=D(2),
        ),
    )


def differences(**options):
    return reconcile(portfolio_id="P1", today=TODAY, **options).differences


def test_what_was_calculated_reconciles(held):
    found = reconcile(portfolio_id="P1", today=TODAY, deep=True)

    assert (found.differences, found.pending, found.error) == ((), False, "")


@pytest.mark.parametrize("seed", range(24))
def test_any_history_reconciles(seed):
    choose = random.Random(seed)
    pipeline.record_reference(*quotes(choose))
    recorded(
        *a_history(seed, 40),
        base_currency=choose.choice(["USD", "EUR", "CHF"]),
        cash_mode=choose.choice(["TRACKED", "UNTRACKED"]),
        allow_short=choose.random() < 0.5,
        fees_in_cost=choose.random() < 0.5,
        cost_basis_method=choose.choice(METHODS),
    )

    assert differences(deep=True) == ()


SPOILT: dict[str, list[tuple[str, str, str | None]]] = {
    # a row, and the figures that then no longer tie
    "UPDATE lots SET quantity = quantity + 1 WHERE security_id = 'BBB'": [("BBB", "quantity of the position", "-1")],
    "UPDATE disposals SET realized_gain_base = 19": [("AAA", "realized_gain_base of the position", "1")],
    "UPDATE positions SET money_in_base = money_in_base + 2 WHERE security_id = 'BBB'": [
        ("BBB", "cost in - relieved - cost held, base", "2"),
        ("BBB", "last position_days.money_in_base", "-2"),
    ],
    "UPDATE position_days SET income = 9 WHERE security_id = 'AAA' AND position_date = '2025-01-16'": [
        ("AAA", "last position_days.income", "1")
    ],
    "UPDATE position_days SET realized_gain_base = 0 WHERE security_id = 'AAA' AND position_date = '2025-01-16'": [
        ("AAA", "last position_days.realized_gain_base", "-20"),
        ("", "residual", "20"),
        ("AAA", "residual", "20"),
    ],
    "UPDATE daily_valuations SET value = value + 3 WHERE valuation_date = '2025-06-01'": [
        ("", "daily value of 2025-06-01", "3")
    ],
    "UPDATE daily_valuations SET inflow = inflow + 4 WHERE valuation_date = '2025-01-10'": [
        ("", "inflows of the daily values", "4")
    ],
    "DELETE FROM daily_valuations WHERE valuation_date = '2025-01-20'": [("", "daily values", None)],
    "UPDATE cash_movements SET amount = amount - 1 WHERE movement_date = '2025-01-14'": [
        ("cash USD", "quantity of the position", "1")
    ],
    "DELETE FROM lots WHERE security_id = 'CCC'": [("CCC", "quantity of the position", "8")],
}


@pytest.mark.parametrize("sql", SPOILT)
def test_a_row_that_was_spoilt_is_found(held, sql):
    # Of AAA 4 were sold at 15 that cost 10 each: 60 - 40 = 20. The other 16 became 8 CCC.
    with connection.cursor() as cursor:
        cursor.execute(sql)

    found = differences()

    for holding, figure, by in SPOILT[sql]:
        assert [one for one in found if one.holding == holding and one.figure.startswith(figure) and _by(one) == by], (
            found
        )


def _by(one):
    return None if one.by is None else f"{one.by.normalize():f}"


@pytest.mark.parametrize(
    ("sql", "holding", "figure"),
    [
        ("UPDATE lots SET acquisition_date = '2025-01-04' WHERE security_id = 'BBB'", "BBB", "lots 2025-01-04"),
        ("UPDATE disposals SET proceeds = 61", "AAA", "disposals"),
        ("UPDATE moves SET quantity = 9", "CCC", "moves"),
        ("DELETE FROM position_days WHERE position_date = '2025-01-06' AND kind = 'CASH'", "cash USD", "position_days"),
        (
            "UPDATE daily_valuations SET cash = 1, securities = value - 1 WHERE valuation_date = '2025-01-20'",
            "",
            "daily cash",
        ),
    ],
)
def test_what_ties_and_is_wrong_all_the_same_only_the_ledger_tells(held, sql, holding, figure):
    with connection.cursor() as cursor:
        cursor.execute(sql)

    assert differences() == ()
    assert [one for one in differences(deep=True) if one.holding == holding and one.figure.startswith(figure)]


def test_what_is_pending_is_no_difference(held):
    pipeline.record(
        transaction("BUY", transaction_date="2025-01-20", security_id="AAA", quantity=D(1), price=D(10)),
        submitted_by="owner",
    )

    found = reconcile(portfolio_id="P1", today=TODAY, deep=True)

    assert (found.differences, found.pending) == ((), True)


def test_a_period_can_be_asked_for(held):
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE position_days SET realized_gain_base = 0 WHERE security_id = 'AAA' AND position_date < '2025-01-16'"
        )
    in_january = differences(period=Period(day("2025-01-10"), day("2025-01-14")))
    later = differences(period=Period(day("2025-02-01"), day("2025-02-28")))

    assert {(one.holding, _by(one)) for one in in_january} == {("", "20"), ("AAA", "20")}
    assert later == ()


# --- the command --------------------------------------------------------------------------------------------------


def run(*arguments):
    out = StringIO()
    call_command("reconcile", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_in_one_line_that_all_is_well(held):
    assert run() == "1 portfolios reconcile\n"


def test_the_command_names_what_is_not_and_by_how_much(held):
    with connection.cursor() as cursor:
        cursor.execute("UPDATE lots SET quantity = quantity + 1.5 WHERE security_id = 'BBB'")
    out = StringIO()

    with pytest.raises(CommandError, match="1 differences in 1 of 1 portfolios: P1") as refused:
        call_command("reconcile", portfolio=["P1"], stdout=out)

    assert refused.value.returncode == 1
    assert out.getvalue() == "P1 BBB: quantity of the position, beside its lots: 5 instead of 6.5, off by -1.5\n"


def test_the_command_says_what_it_could_not_compare(held):
    pipeline.record(transaction("DEPOSIT", gross_transaction_amount=D(1)), submitted_by="owner")

    assert run() == "1 portfolios reconcile; 1 of them pending, compared only in part: P1\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--portfolio", "P9"], "there is no portfolio P9"),
        (["--end", "2025-01-31"], "--end needs --start"),
        (["--start", "2025-02-01", "--end", "2025-01-31"], "ends before it starts"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(held, arguments, why):
    with pytest.raises(CommandError, match=why):
        run(*arguments)
