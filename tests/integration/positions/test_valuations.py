"""Daily valuations as stored: whatever arrives in whatever order, they are what one pass over everything makes."""

from __future__ import annotations

import datetime
import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portfolio.models import FxRate, Instrument, Portfolio, Price, ReferenceVersion
from portfolio.streaming.messages import (
    Message,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
    ValuationCalculation,
)
from positions import valuations
from positions.analytics.series import daily_values
from positions.calculating.market import market
from positions.figures import portfolio_answer
from positions.models import PortfolioState, PositionChange, ValuationState
from positions.queries import snapshot_of, state_of
from positions.valuing import news as valuation_news
from tests import pipeline
from tests.histories import CURRENCIES, METHODS, a_history
from tests.pipeline import days_of, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
NO_FLOWS = ("0", "0", "0", "0", "0", "0")


def january(number: int) -> datetime.date:
    return datetime.date(2025, 1, number)


def noon(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(12), datetime.UTC)


def price(security_id: str, day: int, amount: str, currency: str = "USD", version: int = 1) -> RawPrice:
    return RawPrice(
        market_price=SubmittedPrice(
            security_id=security_id, price_date=january(day), price=D(amount), currency=currency, version=version
        )
    )


def rate(from_currency: str, to_currency: str, day: int, amount: str, version: int = 1) -> RawRate:
    return RawRate(
        fx_rate=SubmittedRate(
            from_currency=from_currency,
            to_currency=to_currency,
            rate_date=january(day),
            rate=D(amount),
            version=version,
        )
    )


def portfolio(portfolio_id: str = "P1", **fields: Any) -> RawPortfolio:
    return RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id=portfolio_id, base_currency="USD", **fields))


def deposit_and_buy() -> None:
    """10 January: 1,000 come in; 13 January: 10 AAA are bought at 50."""
    pipeline.record_reference(portfolio())
    pipeline.record(
        transaction("DEPOSIT", gross_transaction_amount=D(1000), transaction_date="2025-01-10"),
        transaction("BUY", security_id="AAA", quantity=D(10), price=D(50), transaction_date="2025-01-13"),
    )


def valued(today: int = 20) -> dict[int, tuple[Any, ...]]:
    """What is stored once everything owed is calculated on a day of January; by day of the month."""
    pipeline.calculate()
    pipeline.value(now=noon(january(today)))
    return {day.day: row for day, row in days_of("P1").items()}


def versions() -> dict[datetime.date, int]:
    """Which database transaction wrote each row."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT valuation_date, xmin::text::bigint FROM daily_valuations WHERE portfolio_id = 'P1'")
        return dict(cursor.fetchall())


def rewritten(by: Callable[[], object]) -> list[int]:
    """The days of January whose rows something has written or deleted."""
    before = versions()
    by()
    after = versions()
    return sorted(day.day for day in before.keys() | after.keys() if before.get(day) != after.get(day))


# --- what a day says ----------------------------------------------------------------------------------------------


def test_days_go_from_the_day_before_the_first_entry_to_today_and_none_is_left_out():
    deposit_and_buy()
    pipeline.record_reference(price("AAA", 14, "55"))
    days = valued(today=16)
    assert list(days) == [9, 10, 11, 12, 13, 14, 15, 16]
    assert days[9][:3] == ("0", "0", "0")
    assert days[10] == ("1000", "0", "1000", "1000", "0", "0", "0", "0", "0", [], "")
    assert days[12] == ("1000", "0", "1000", *NO_FLOWS, [], "")
    assert days[13] == ("1000", "500", "500", *NO_FLOWS, ["FROM_TRADE"], "")
    assert days[14] == ("1050", "550", "500", *NO_FLOWS, [], ""), "10 at 55 and 500 in cash"
    assert days[16] == days[14]


def test_a_day_without_a_price_or_a_rate_says_which_and_is_never_0():
    pipeline.record_reference(portfolio())
    pipeline.record(
        transaction("DEPOSIT", gross_transaction_amount=D(100), transaction_date="2025-01-10"),
        transaction(
            "TRANSFER_IN",
            security_id="AAA",
            quantity=D(2),
            gross_transaction_amount=D(8),
            transaction_date="2025-01-11",
        ),
        transaction("DEPOSIT", currency="EUR", gross_transaction_amount=D(50), transaction_date="2025-01-14"),
    )
    pipeline.record_reference(price("AAA", 13, "5"), rate("EUR", "USD", 16, "1.1"))
    days = valued(today=17)
    assert days[10][:3] == ("100", "0", "100")
    assert days[11][:4] == ("NaN", "NaN", "100", "8"), "without a price a transfer in counts at g"
    assert (days[11][-1], days[12][-1]) == ("MISSING_PRICE", "MISSING_PRICE")
    assert days[13][:3] == ("110", "10", "100")
    assert days[14][:4] == ("NaN", "10", "NaN", "NaN")
    assert (days[14][-1], days[15][-1], days[16][-1]) == ("MISSING_FX_RATE", "MISSING_FX_RATE", "")
    assert days[16][:3] == ("165", "10", "155"), "50 EUR are 55"


def test_a_portfolio_of_nothing_has_no_days_and_is_done_all_the_same():
    pipeline.record_reference(portfolio())
    pipeline.calculate()
    (done,) = pipeline.value(now=noon(january(5)))
    assert (done.computed_seq, done.valued_until) == (1, january(5))
    assert days_of("P1") == {}


def test_what_is_dated_ahead_has_days_ahead_but_no_more_than_a_year():
    pipeline.record_reference(portfolio())
    pipeline.record(
        transaction("DEPOSIT", gross_transaction_amount=D(5), transaction_date="2025-01-03"),
        transaction("DEPOSIT", gross_transaction_amount=D(5), transaction_date="2025-01-08"),
        transaction("DEPOSIT", gross_transaction_amount=D(5), transaction_date="9999-12-31"),
    )
    pipeline.calculate()
    pipeline.value(now=noon(january(4)))
    days = days_of("P1")
    assert (min(days), max(days)) == (january(2), january(4) + datetime.timedelta(days=366))
    assert (days[january(7)][0], days[january(8)][0], days[max(days)][0]) == ("5", "10", "10")


def test_a_year_mistyped_makes_no_million_of_days():
    pipeline.record(transaction("DEPOSIT", gross_transaction_amount=D(5), transaction_date="0202-01-03"))
    pipeline.record_reference(portfolio())
    pipeline.calculate()
    pipeline.value(now=noon(january(4)))
    days = days_of("P1")
    assert len(days) == 36_526
    assert {row[0] for row in days.values()} == {"5"}


# --- what is written again ----------------------------------------------------------------------------------------


def test_a_corrected_close_changes_its_day_up_to_the_next_close_only():
    deposit_and_buy()
    pipeline.record_reference(price("AAA", 14, "55"), price("AAA", 17, "60"))
    valued()
    pipeline.record_reference(price("AAA", 14, "56", version=2))
    assert rewritten(lambda: pipeline.value(now=noon(january(20)))) == [14, 15, 16]
    assert {day.day: row[0] for day, row in days_of("P1").items() if day.day > 12} == {
        13: "1000",
        14: "1060",
        15: "1060",
        16: "1060",
        17: "1100",
        18: "1100",
        19: "1100",
        20: "1100",
    }


def test_todays_close_writes_today_alone():
    deposit_and_buy()
    valued()
    pipeline.record_reference(price("AAA", 20, "70"))
    assert rewritten(lambda: pipeline.value(now=noon(january(20)))) == [20]


def test_a_new_day_writes_that_day_alone_and_a_second_time_nothing():
    deposit_and_buy()
    valued()
    assert rewritten(lambda: pipeline.value(now=noon(january(22)))) == [21, 22]
    assert rewritten(lambda: pipeline.value(now=noon(january(22)))) == []


def test_a_price_of_what_is_not_held_or_from_before_it_was_held_writes_nothing():
    deposit_and_buy()
    valued()
    pipeline.record_reference(price("BBB", 15, "5"), price("AAA", 11, "5"))
    assert rewritten(lambda: pipeline.value(now=noon(january(20)))) == []


def test_a_rate_counts_up_to_the_next_one_of_its_pair():
    pipeline.record_reference(portfolio(), rate("EUR", "USD", 10, "1.1"), rate("EUR", "USD", 16, "1.2"))
    pipeline.record(
        transaction("DEPOSIT", currency="EUR", gross_transaction_amount=D(100), transaction_date="2025-01-10")
    )
    valued()
    # After the last entry it changes nothing that is booked; 12 and 13 January are valued at it, not 16.
    pipeline.record_reference(rate("EUR", "USD", 12, "1.15"), rate("GBP", "JPY", 12, "200"))
    assert rewritten(lambda: pipeline.value(now=noon(january(20)))) == [12, 13, 14, 15]
    assert days_of("P1")[january(13)][0] == "115"


def test_a_rate_of_the_currency_that_prices_are_quoted_in_counts_too():
    deposit_and_buy()
    pipeline.record_reference(price("AAA", 14, "50", "CHF"), rate("CHF", "USD", 14, "1.1"))
    pipeline.calculate()
    (done,) = pipeline.value(now=noon(january(20)))
    assert done.quoted_in == ("CHF",)
    pipeline.record_reference(rate("CHF", "USD", 19, "1.2"))
    assert rewritten(lambda: pipeline.value(now=noon(january(20)))) == [19, 20]
    assert days_of("P1")[january(19)][1] == "600", "10 x 50 CHF x 1.2"


def test_a_back_dated_trade_writes_its_day_and_all_after_it():
    deposit_and_buy()
    valued(today=16)
    pipeline.record(transaction("WITHDRAWAL", gross_transaction_amount=D(1), transaction_date="2025-01-12"))
    assert rewritten(lambda: valued(today=16)) == [12, 13, 14, 15, 16]
    assert not PositionChange.objects.exists(), "what was followed is not kept"


def test_an_earlier_first_entry_adds_days_and_a_cancelled_one_takes_them_away():
    deposit_and_buy()
    valued(today=16)
    early = {"transaction_id": "EARLY", "gross_transaction_amount": D(1), "transaction_date": "2025-01-05"}
    pipeline.record(transaction("DEPOSIT", **early))
    assert min(valued(today=16)) == 4
    pipeline.record(transaction("DEPOSIT", **early, version=2, status="CANCELLED"))
    days = valued(today=16)
    assert min(days) == 9
    assert days[16][0] == "1000"


def test_a_ledger_that_becomes_empty_leaves_no_days():
    lone = {"transaction_id": "LONE", "gross_transaction_amount": D(1), "transaction_date": "2025-01-05"}
    pipeline.record(transaction("DEPOSIT", **lone))
    assert valued(today=7)
    pipeline.record(transaction("DEPOSIT", **lone, version=2, status="CANCELLED"))
    assert valued(today=7) == {}
    assert ValuationState.objects.get().first_date is None


def test_an_instruments_attributes_count_for_all_days_on_which_it_was_held():
    deposit_and_buy()
    pipeline.record_reference(price("AAA", 14, "55"))
    valued(today=16)
    bond = SubmittedInstrument(security_id="AAA", currency="USD", price_factor=D("0.01"))
    pipeline.record_reference(RawInstrument(instrument=bond))
    days = valued(today=16)
    # The purchase has no gross amount: quantity x price x factor is 10 x 50 x 0.01 = 5.
    assert days[13][:3] == ("1000", "5", "995")
    assert days[16][:3] == ("1000.5", "5.5", "995")


def test_a_price_carried_by_a_change_of_symbol_counts_for_as_long_as_there_is_no_other():
    deposit_and_buy()
    change = transaction("SYMBOL_CHANGE", security_id="AAA", target_security_id="NEW", transaction_date="2025-01-15")
    pipeline.record(change)
    pipeline.record_reference(price("AAA", 14, "55"))
    assert valued()[18][1] == "550"
    pipeline.record_reference(price("AAA", 14, "56", version=2), price("AAA", 17, "1"))
    assert rewritten(lambda: pipeline.value(now=noon(january(20)))) == [14, 15, 16, 17, 18, 19, 20]
    assert days_of("P1")[january(18)][1] == "560"
    assert rewritten(lambda: pipeline.value(now=noon(january(22)))) == [21, 22]
    assert days_of("P1")[january(22)][1] == "560", "the old symbol itself is not held any more"
    pipeline.record_reference(price("NEW", 19, "60"))
    assert rewritten(lambda: pipeline.value(now=noon(january(22)))) == [19, 20, 21, 22]


def test_an_old_quote_is_read_through_the_splits_since_its_day_and_not_those_before():
    deposit_and_buy()
    pipeline.record_reference(price("AAA", 15, "60"))
    split = {"security_id": "AAA", "ratio_new": D(2), "ratio_old": D(1)}
    pipeline.record(
        transaction("SPLIT", **split, transaction_date="2025-01-14"),
        transaction("SPLIT", **split, transaction_date="2025-01-16"),
        transaction("FEE", security_id="AAA", gross_transaction_amount=D(1), transaction_date="2025-01-18"),
    )
    # 20 at 60, then 40 at 30.
    assert {day: row[1] for day, row in valued().items() if day > 14} == dict.fromkeys(range(15, 21), "1200")
    assert rewritten(lambda: pipeline.value(now=noon(january(21)))) == [21]
    assert days_of("P1")[january(21)][1] == "1200", (
        "also where the quote is older than all that was read of the holding"
    )


def test_many_news_at_once_are_not_looked_at_one_by_one(monkeypatch):
    deposit_and_buy()
    valued()
    monkeypatch.setattr(valuation_news, "NEWS_MAX", 3)
    pipeline.record_reference(*[price("AAA", day, "99") for day in range(15, 21)])
    assert rewritten(lambda: pipeline.value(now=noon(january(20)))) == [15, 16, 17, 18, 19, 20]


# --- the law ------------------------------------------------------------------------------------------------------


def a_market(choose: random.Random) -> list[Message]:
    """Quotes of the securities, also in other currencies, and rates; corrected here and there."""
    news: list[Message] = []
    for _ in range(choose.randint(0, 25)):
        security_id = choose.choice(list(CURRENCIES))
        currency = CURRENCIES[security_id] if choose.random() < 0.9 else "GBP"
        amount = str(D(choose.randint(1, 10_000)) / 100)
        news.append(price(security_id, choose.randint(1, 28), amount, currency, choose.randint(1, 3)))
    for _ in range(choose.randint(0, 12)):
        pair = choose.choice([("EUR", "USD"), ("USD", "EUR"), ("GBP", "USD"), ("GBP", "EUR")])
        news.append(rate(*pair, choose.randint(1, 28), str(D(choose.randint(50, 150)) / 100), choose.randint(1, 3)))
    for security_id in choose.sample(list(CURRENCIES), 2):
        factor = D(choose.choice(["1", "1", "0.01"]))
        instrument = SubmittedInstrument(security_id=security_id, currency=CURRENCIES[security_id], price_factor=factor)
        news.append(RawInstrument(instrument=instrument))
    return news


def from_scratch(portfolio_id: str, now: datetime.datetime) -> dict[datetime.date, tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM daily_valuations; DELETE FROM valuation_states")
    pipeline.value(portfolio_id, now=now)
    return days_of(portfolio_id)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    method=st.sampled_from(METHODS),
    cash_mode=st.sampled_from(["TRACKED", "UNTRACKED"]),
    batch=st.integers(1, 15),
    at_once=st.sampled_from([5, 60, 200_000]),
)
def test_whatever_the_order_of_arrival_the_stored_days_are_those_of_one_pass(seed, method, cash_mode, batch, at_once):
    pipeline.forget(["P1"])
    for model in (Price, FxRate, Instrument, Portfolio, ReferenceVersion):
        model.objects.all().delete()
    market.forget()
    choose = random.Random(seed)
    arriving: list[Any] = [*a_history(seed, 30), *a_market(choose)]
    arriving.append(portfolio(cost_basis_method=method, cash_mode=cash_mode))
    choose.shuffle(arriving)
    today = 18
    held_at_once = valuations.VALUES_AT_ONCE_MAX
    valuations.VALUES_AT_ONCE_MAX = at_once
    try:
        for start in range(0, len(arriving), batch):
            part = arriving[start : start + batch]
            trades = [one for one in part if isinstance(one, SubmittedTransaction)]
            pipeline.record(*trades)
            pipeline.record_reference(*[one for one in part if not isinstance(one, SubmittedTransaction)])
            if choose.random() < 0.7:
                pipeline.calculate("P1")
            if choose.random() < 0.7:
                pipeline.value("P1", now=noon(january(today)))
            today = min(today + choose.randint(0, 2), 31)
        pipeline.calculate("P1")
        pipeline.value("P1", now=noon(january(today)))
        stored = days_of("P1")
    finally:
        valuations.VALUES_AT_ONCE_MAX = held_at_once
    assert stored == from_scratch("P1", noon(january(today)))
    state = state_of(portfolio_id="P1")
    for day, row in stored.items():
        totals = portfolio_answer(snapshot_of(state=state, as_of=day), closed=False)["totals"]
        told = [
            figure if isinstance(figure, str) else "NaN"
            for figure in (totals[n] for n in ("value", "securities", "cash"))
        ]
        assert (day, told) == (day, list(row[:3]))


# --- batches ------------------------------------------------------------------------------------------------------


def test_one_portfolio_that_cannot_be_valued_holds_up_no_other(monkeypatch):
    deposit_and_buy()
    pipeline.record(transaction("DEPOSIT", portfolio_id="P2", gross_transaction_amount=D(7)))
    pipeline.calculate()

    def faulty(history: Any, first: datetime.date, last: datetime.date) -> Any:
        if len(history.timelines) > 1:
            raise ZeroDivisionError("by nothing")
        return daily_values(history, first, last)

    monkeypatch.setattr(valuations, "daily_values", faulty)
    requests = {p: ValuationCalculation(portfolio_id=p, requested_seq=1) for p in ("P1", "P2")}
    bad, good = valuations.calculate_valuations(requests, now=noon(january(20)))
    assert (bad.portfolio_id, bad.error) == ("P1", "ZeroDivisionError: by nothing")
    assert (good.portfolio_id, good.error, good.computed_seq) == ("P2", None, 1)
    assert ValuationState.objects.get(portfolio_id="P1").error == "ZeroDivisionError: by nothing"
    assert PositionChange.objects.filter(portfolio_id="P1").exists(), "what was not followed stays noted"
    assert max(days_of("P2")) == january(20)
    monkeypatch.undo()
    pipeline.value(now=noon(january(20)))
    assert max(days_of("P1")) == january(20)
    assert (
        PortfolioState.objects.get(portfolio_id="P1").computed_seq
        == ValuationState.objects.get(portfolio_id="P1").computed_seq
    )


def test_the_statements_of_a_batch_are_as_many_for_three_portfolios_as_for_sixty():
    """A day's closes of everything held: what is read and written grows, but not how often is asked."""
    pipeline.record(
        *[
            transaction("BUY", portfolio_id=f"P{number:02}", security_id=f"S{security}", quantity=D(1), price=D(9))
            for number in range(63)
            for security in range(4)
        ]
    )
    pipeline.calculate()
    names = [f"P{number:02}" for number in range(63)]
    pipeline.value(*names, now=noon(january(20)))
    pipeline.record_reference(*[price(f"S{security}", 20, "10") for security in range(4)])
    market.refresh()  # a process reads new rates once
    counts = []
    for part in (names[:3], names[3:]):
        with CaptureQueriesContext(connection) as queries:
            pipeline.value(*part, now=noon(january(20)))
        assert {days_of(name)[january(20)][0] for name in part} == {"40"}
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 25
