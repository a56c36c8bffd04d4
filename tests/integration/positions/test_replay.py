"""What is booked again of a portfolio when something late arrives, and that it comes out as if all were booked anew."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portfolio.models import PortfolioChange
from portfolio.streaming.messages import (
    Message,
    PositionCalculation,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
)
from positions import operations
from positions.calculating import writing
from positions.engine.rates import RateTable
from positions.models import CashMovement, DailyValuation, Lot, PortfolioState, Position, PositionChange, PositionDay
from positions.operations import calculate_positions
from positions.queries import pending_of
from tests import pipeline
from tests.histories import METHODS, a_history
from tests.pipeline import transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
COMPARED_SHARE = 0.5
"""How often the rows are compared: what is booked anew hides what went wrong before."""


@pytest.fixture
def anew(monkeypatch) -> list[str]:
    """The portfolios that were booked anew as a whole, in the order in which they were."""
    booked: list[str] = []
    original = writing.book_portfolio

    def noting(terms, *arguments, **options):
        if options["anew"]:
            booked.append(terms.portfolio_id)
        return original(terms, *arguments, **options)

    monkeypatch.setattr(operations, "book_portfolio", noting)
    return booked


@pytest.fixture
def however_much(monkeypatch) -> None:
    """Components are booked again however much of the portfolio they are."""
    monkeypatch.setattr("positions.calculating.components.SHARE_BOOKED_ANEW", 10**9)


def forget_everything() -> None:
    pipeline.forget(["P1"])
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE portfolios, instruments, fx_rates, market_marks, reference_versions")


def settle(
    method: str = "FIFO", cash_mode: str = "TRACKED", *, allow_short: bool = False, base_currency: str = "USD"
) -> None:
    attributes: dict[str, Any] = {"cost_basis_method": method, "cash_mode": cash_mode, "allow_short": allow_short}
    portfolio = SubmittedPortfolio(portfolio_id="P1", base_currency=base_currency, **attributes)
    pipeline.record_reference(RawPortfolio(portfolio=portfolio))


def rate(day: str, value: str, pair: str = "EUR/USD", version: int = 1) -> RawRate:
    from_currency, to_currency = pair.split("/")
    quote: dict[str, Any] = {
        "from_currency": from_currency,
        "to_currency": to_currency,
        "rate": D(value),
        "version": version,
    }
    return RawRate(fx_rate=SubmittedRate(rate_date=pipeline.day(day), **quote))


def stored() -> tuple[Any, ...]:
    """The rows of the portfolio, and what its state says of them."""
    names = ("base_currency", "provisional", "last_date", "last_time_us", "last_rank", "last_transaction_id")
    return pipeline.rows_of("P1"), PortfolioState.objects.values_list(*names).get(portfolio_id="P1")


def some_market(choose: random.Random) -> list[Message]:
    """Rates of some days, direct, inverse and such as only a cross can use, some of them corrected; instruments."""
    market: list[Message] = []
    for _ in range(12):
        day, value = f"2025-01-{choose.randint(1, 28):02d}", str(D(choose.randint(80, 150)) / 100)
        pair = choose.choice(["EUR/USD", "EUR/USD", "USD/EUR", "GBP/EUR", "GBP/USD", "CHF/USD", "EUR/CHF"])
        market.append(rate(day, value, pair))
    for security_id, currency in (("BBB", "EUR"), ("CCC", "GBP"), ("AAA", "USD")):
        factor = choose.choice([D(1), D("0.01")])
        instrument = SubmittedInstrument(security_id=security_id, currency=currency, price_factor=factor)
        market.append(RawInstrument(instrument=instrument))
    return market


# --- the law ------------------------------------------------------------------------------------------------------


portfolios = st.fixed_dictionaries(
    {
        "method": st.sampled_from(METHODS),
        "cash_mode": st.sampled_from(["TRACKED", "TRACKED", "UNTRACKED"]),
        "allow_short": st.booleans(),
        "base_currency": st.sampled_from(["USD", "EUR"]),
    }
)
histories = st.sampled_from(["not at all", "by corporate actions", "by transfers too"])
"""How the securities of a history hang together."""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), portfolio=st.none() | portfolios, joined=histories, batch=st.integers(1, 6))
def test_after_any_arrivals_the_rows_are_those_of_booking_anew(seed, portfolio, joined, batch, however_much):
    """Transactions, their corrections, rates and attributes in any order, compared after every few of them."""
    forget_everything()
    choose = random.Random(seed)
    if portfolio:
        settle(**portfolio)
    arriving: list[Any] = a_history(seed, 40)
    if joined != "by transfers too":
        arriving = [unlinked(one) for one in arriving]
    if joined == "not at all":
        arriving = [one for one in arriving if not one.target_security_id]
    arriving += [moved(choose, one) for one in choose.sample(arriving, 6)] + some_market(choose)
    choose.shuffle(arriving)
    for start in range(0, len(arriving), batch):
        arrived = arriving[start : start + batch]
        pipeline.record(*[one for one in arrived if isinstance(one, SubmittedTransaction)])
        pipeline.record_reference(*[one for one in arrived if not isinstance(one, SubmittedTransaction)])
        pipeline.calculate("P1")
        if choose.random() < COMPARED_SHARE:
            incremental = stored()
            pipeline.calculate("P1", rebuild=True)
            assert stored() == incremental


def unlinked(one: SubmittedTransaction) -> SubmittedTransaction:
    """The transaction as one that came from nowhere."""
    fields = {name: getattr(one, name) for name in one.__struct_fields__}
    return SubmittedTransaction(**fields | {"linked_transaction_id": None, "linked_portfolio_id": None})


def moved(choose: random.Random, one: SubmittedTransaction) -> SubmittedTransaction:
    """A third version: of another day, another security where it is of one, or cancelled."""
    fields = {name: getattr(one, name) for name in one.__struct_fields__} | {"version": 3}
    if one.security_id and not one.target_security_id and not one.linked_transaction_id:
        fields["security_id"] = choose.choice(["AAA", "BBB", "CCC", "DDD"])
    fields["transaction_date"] = f"2025-01-{choose.randint(1, 30):02d}"
    fields["status"] = choose.choice(["BOOKED", "BOOKED", "CANCELLED"])
    return SubmittedTransaction(**fields)


# --- only what is concerned ---------------------------------------------------------------------------------------


BUY = {"quantity": D(10), "price": D(7)}


def bought(security_id: str, day: str, **fields: Any) -> SubmittedTransaction:
    return transaction("BUY", **BUY | {"security_id": security_id, "transaction_date": day} | fields)


def rows_kept_of(model: Any, before: set[int]) -> set[int]:
    """Those of the rows that nobody has written again."""
    return before & ids_of(model)


def ids_of(model: Any, **condition: Any) -> set[int]:
    return set(model.objects.filter(portfolio_id="P1", **condition).values_list("id", flat=True))


def test_a_trade_dated_back_books_its_own_security_again_and_writes_what_differs(anew):
    settle()
    pipeline.record(*[bought(name, f"2025-01-{day:02d}") for name in ("AAA", "BBB", "CCC") for day in (6, 7, 8)])
    pipeline.calculate("P1")
    others = ids_of(PositionDay, kind="SECURITY", security_id__in=["BBB", "CCC"])
    movements = ids_of(CashMovement)
    anew.clear()

    pipeline.record(bought("AAA", "2025-01-07", transaction_id="LATE"))
    pipeline.calculate("P1")

    assert anew == []
    assert rows_kept_of(PositionDay, others) == others
    assert rows_kept_of(CashMovement, movements) == movements
    # Three times 70 a day went out; 70 more since the 7th.
    cash = PositionDay.objects.filter(kind="CASH").order_by("position_date")
    assert [row.quantity for row in cash] == [D(-210), D(-490), D(-700)]
    assert PositionChange.objects.latest("id").changed_from == pipeline.day("2025-01-07")


def test_a_correction_that_changes_the_security_concerns_both(anew):
    settle()
    pipeline.record(*[bought(name, "2025-01-06", transaction_id=name) for name in ("AAA", "BBB", "CCC", "DDD", "EEE")])
    pipeline.calculate("P1")
    anew.clear()

    pipeline.record(bought("BBB", "2025-01-06", transaction_id="AAA", version=2))
    pipeline.calculate("P1")

    assert anew == []
    held = Position.objects.filter(kind="SECURITY").values_list("security_id", "quantity")
    assert dict(held) == {"BBB": D(20), "CCC": D(10), "DDD": D(10), "EEE": D(10)}


def test_once_the_last_entry_is_cancelled_the_one_before_is_the_last(however_much):
    settle()
    pipeline.record(bought("AAA", "2025-01-06", transaction_id="B1"), bought("BBB", "2025-01-08", transaction_id="B2"))
    pipeline.calculate("P1")

    pipeline.record(bought("BBB", "2025-01-08", transaction_id="B2", version=2, status="CANCELLED"))
    pipeline.calculate("P1")
    state = PortfolioState.objects.get(portfolio_id="P1")
    assert (state.last_date, state.last_transaction_id) == (pipeline.day("2025-01-06"), "B1")

    pipeline.record(bought("AAA", "2025-01-06", transaction_id="B1", version=2, status="CANCELLED"))
    pipeline.calculate("P1")
    assert PortfolioState.objects.get(portfolio_id="P1").last_date is None
    assert not any(pipeline.rows_of("P1").values())


def test_what_a_late_trade_opens_is_told_to_those_who_tell_of_changes(however_much):
    settle()
    pipeline.record(bought("AAA", "2025-01-06"))
    pipeline.calculate("P1")
    known = PortfolioState.objects.get(portfolio_id="P1").interests_seq

    pipeline.record(bought("AAA", "2025-01-02"))
    asked = PositionCalculation(portfolio_id="P1", requested_seq=2, interests_seq=known)
    (done,) = calculate_positions({"P1": asked}, now=pipeline.NOW)

    assert [(one.name, str(one.since_date)) for one in done.interests] == [("AAA", "2025-01-02")]


def test_an_earlier_first_entry_gives_a_provisional_portfolio_its_currency(however_much):
    pipeline.record(bought("AAA", "2025-01-06"))
    pipeline.calculate("P1")
    assert PortfolioState.objects.get(portfolio_id="P1").base_currency == "USD"

    pipeline.record(bought("BBB", "2025-01-02", currency="EUR"))
    pipeline.calculate("P1")

    assert PortfolioState.objects.get(portfolio_id="P1").base_currency == "EUR"


def test_where_a_linked_transfer_is_concerned_the_whole_is_booked_anew(anew, however_much):
    settle()
    given_away = {"security_id": "AAA", "quantity": D(4), "transaction_date": "2025-01-07"}
    pipeline.record(
        bought("AAA", "2025-01-06"),
        bought("BBB", "2025-01-06"),
        transaction("TRANSFER_OUT", **given_away, transaction_id="OUT"),
        transaction("TRANSFER_IN", **given_away, transaction_id="IN", linked_transaction_id="OUT"),
    )
    pipeline.calculate("P1")
    anew.clear()

    pipeline.record(bought("BBB", "2025-01-03"))
    pipeline.calculate("P1")
    assert anew == []

    pipeline.record(bought("AAA", "2025-01-03", transaction_id="OLDEST"))
    pipeline.calculate("P1")
    assert anew == ["P1"]
    # 4 of the oldest went out and came in again, under their old date.
    oldest = Lot.objects.get(opening_transaction_id="OLDEST")
    assert (oldest.acquisition_date, oldest.quantity) == (pipeline.day("2025-01-03"), D(10))


# --- rates --------------------------------------------------------------------------------------------------------


def test_a_late_rate_heals_what_rests_on_it_and_nothing_else(anew):
    settle()
    pipeline.record_reference(rate("2025-01-06", "1.1"), rate("2025-01-08", "1.2"))
    in_euro = [bought("BBB", f"2025-01-{day:02d}", currency="EUR", transaction_id=f"B{day}") for day in (6, 7, 8)]
    dealt = bought("CCC", "2025-01-07", currency="EUR", transaction_fx_rate=D(2), transaction_id="DEALT")
    pipeline.record(*in_euro, dealt, *[bought(name, "2025-01-07") for name in ("AAA", "DDD", "EEE", "FFF", "GGG")])
    pipeline.calculate("P1")
    anew.clear()
    movements = ids_of(CashMovement)

    pipeline.record_reference(rate("2025-01-07", "1.5"))
    pipeline.calculate("P1")

    assert anew == []
    # 70 EUR each: at 1.1 on the 6th, now at 1.5 on the 7th, at 1.2 on the 8th.
    assert Position.objects.get(security_id="BBB").cost_basis_base == D(77) + D(105) + D(84)
    healed = CashMovement.objects.exclude(id__in=movements)
    assert [row.transaction_id for row in healed] == ["B7"]
    assert PositionChange.objects.latest("id").changed_from == pipeline.day("2025-01-07")


@pytest.mark.parametrize(
    ("pair", "day"),
    [
        ("GBP/USD", "2025-01-06"),  # its base currency, but nothing is held in the other
        ("EUR/USD", "2025-01-07"),  # nothing was booked from this day on until the next quote
        ("USD/EUR", "2025-01-06"),  # an inverse counts only where there is no direct one
        ("EUR/GBP", "2025-01-06"),
    ],
)
def test_a_rate_that_nothing_rests_on_leaves_the_portfolio_as_it_is(pair, day, anew):
    settle()
    pipeline.record_reference(rate("2025-01-06", "1.1"), rate("2025-01-08", "1.2"))
    pipeline.record(*[bought("BBB", day, currency="EUR") for day in ("2025-01-06", "2025-01-08")])
    pipeline.calculate("P1")
    anew.clear()
    PositionChange.objects.all().delete()

    pipeline.record_reference(rate(day, "1.5", pair))
    assert not is_pending()
    pipeline.calculate("P1")

    assert anew == []
    assert not PositionChange.objects.exists()


def test_a_leg_of_a_cross_rate_is_missed_until_it_arrives(however_much, anew):
    """Swiss francs to dollars through euros; both legs are needed."""
    settle()
    pipeline.record_reference(rate("2025-01-02", "0.9", "CHF/EUR"))
    pipeline.record(bought("AAA", "2025-01-06"), bought("BBB", "2025-01-06", currency="CHF"))
    pipeline.calculate("P1")
    anew.clear()
    assert Position.objects.get(security_id="BBB").unrated_lots == 1

    pipeline.record_reference(rate("2025-01-03", "1.1", "EUR/USD"))
    assert is_pending()
    pipeline.calculate("P1")

    assert anew == []
    # 70 CHF x 0.9 x 1.1
    position = Position.objects.get(security_id="BBB")
    assert (position.unrated_lots, position.cost_basis_base) == (0, D("69.3"))


def test_a_rate_of_the_day_of_an_acquisition_is_not_missed():
    """The lot brought in on the 9th is told in base at the rate of the 3rd, its acquisition."""
    settle()
    pipeline.record_reference(rate("2025-01-02", "1.1"))
    brought = {"security_id": "BBB", "quantity": D(1), "gross_transaction_amount": D(100), "currency": "EUR"}
    acquired = {"transaction_date": "2025-01-09", "acquisition_date": pipeline.day("2025-01-03")}
    pipeline.record(transaction("TRANSFER_IN", **brought, **acquired))
    pipeline.calculate("P1")
    assert Position.objects.get(security_id="BBB").cost_basis_base == D(110)

    pipeline.record_reference(rate("2025-01-03", "1.3"), rate("2025-01-05", "1.1"))
    pipeline.calculate("P1")

    assert Position.objects.get(security_id="BBB").cost_basis_base == D(130)


# --- mistyped years -----------------------------------------------------------------------------------------------


@pytest.fixture
def days_asked(monkeypatch) -> set[datetime.date]:
    """The days of which a market rate was asked for."""
    days: set[datetime.date] = set()
    original = RateTable.market

    def noting(table, from_currency, to_currency, day):
        days.add(day)
        return original(table, from_currency, to_currency, day)

    monkeypatch.setattr(RateTable, "market", noting)
    return days


@pytest.mark.parametrize("year", ["0001-01-01", "0002-01-01", "1990-01-01"])
def test_a_rate_that_counts_for_centuries_is_looked_at_on_days_with_entries_alone(year, days_asked, however_much):
    settle()
    pipeline.record_reference(rate("2025-01-08", "1.2"))
    entry_days = {pipeline.day("2025-01-06"), pipeline.day("2025-01-08")}
    pipeline.record(*[bought("BBB", str(day), currency="EUR", transaction_id=f"B{day}") for day in entry_days])
    pipeline.calculate("P1")
    assert Position.objects.get(security_id="BBB").unrated_lots == 1
    days_asked.clear()

    pipeline.record_reference(rate(year, "1.1"))
    pipeline.calculate("P1")

    # 70 EUR each: at 1.1 on the 6th, at 1.2 on the 8th.
    position = Position.objects.get(security_id="BBB")
    assert (position.unrated_lots, position.cost_basis_base) == (0, D(77) + D(84))
    assert days_asked <= entry_days


def test_a_quote_that_counts_in_two_stretches_passes_over_the_entries_between_them(days_asked, anew):
    settle()
    pipeline.record_reference(rate("2025-01-07", "1.2"))
    in_euro = [bought("BBB", f"2025-01-{day:02d}", currency="EUR", transaction_id=f"B{day}") for day in (6, 7, 9)]
    pipeline.record(*in_euro, *[bought(name, "2025-01-07") for name in ("AAA", "DDD", "EEE", "FFF", "GGG")])
    pipeline.calculate("P1")
    anew.clear()
    movements = ids_of(CashMovement)

    pipeline.record_reference(rate("0001-01-01", "1.1"), rate("2025-01-09", "1.3"))
    pipeline.calculate("P1")

    assert anew == []
    # 70 EUR each: at 1.1, 1.2 and 1.3.
    assert Position.objects.get(security_id="BBB").cost_basis_base == D(77) + D(84) + D(91)
    healed = CashMovement.objects.exclude(id__in=movements)
    assert {row.transaction_id for row in healed} == {"B6", "B9"}


def test_a_rate_of_the_last_day_there_is_concerns_the_entries_of_that_day(however_much):
    settle()
    pipeline.record(bought("AAA", "2025-01-06"), bought("BBB", "9999-12-31", currency="EUR"))
    pipeline.calculate("P1")
    assert Position.objects.get(security_id="BBB").unrated_lots == 1

    pipeline.record_reference(rate("9999-12-31", "1.1"))
    pipeline.calculate("P1")

    position = Position.objects.get(security_id="BBB")
    assert (position.unrated_lots, position.cost_basis_base) == (0, D(77))


def test_rates_and_prices_of_the_first_and_the_last_day_there_is_are_valued_with():
    settle()
    pipeline.record(bought("BBB", "2025-01-06", currency="EUR", quantity=D(10), price=D(7)))
    pipeline.calculate("P1")
    pipeline.value("P1")

    pipeline.record_reference(
        *[rate(day, value) for day, value in (("0001-01-01", "1.1"), ("2025-01-08", "1.2"), ("9999-12-31", "9"))],
        *[price(day, value) for day, value in (("0001-01-01", "5"), ("2025-01-08", "8"), ("9999-12-31", "9"))],
    )
    pipeline.calculate("P1")
    pipeline.value("P1")

    # 10 x its own trade's price of 7, later than that of year 1, x 1.1; from the 8th on 10 x 8 x 1.2.
    days = DailyValuation.objects.filter(portfolio_id="P1").order_by("valuation_date")
    assert [row.securities for row in days if row.valuation_date >= pipeline.day("2025-01-06")][:3] == [77, 77, 96]
    assert (days[0].valuation_date, days[len(days) - 1].securities) == (pipeline.day("2025-01-05"), 96)


def price(day: str, value: str) -> RawPrice:
    quote = SubmittedPrice(security_id="BBB", price_date=pipeline.day(day), price=D(value), currency="EUR", version=1)
    return RawPrice(market_price=quote)


def is_pending() -> bool:
    state, mark = PortfolioState.objects.get(portfolio_id="P1"), PortfolioChange.objects.get(portfolio_id="P1")
    return pending_of(state=state, mark=mark) is not None


# --- how much at once ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entries_max", "transactions"), [(100, 1), (6, 2), (1, 3)])
def test_a_batch_takes_as_many_database_transactions_as_its_entries_need(entries_max, transactions, settings):
    settings.CALCULATION_ENTRIES_MAX = entries_max
    names = ("P1", "P2", "P3")
    pipeline.record(*[bought("AAA", f"2025-01-{day:02d}", portfolio_id=p) for p in names for day in (6, 7, 8)])

    with CaptureQueriesContext(connection) as captured:
        pipeline.calculate(*names)
    assert sum("ISOLATION LEVEL" in query["sql"] for query in captured) == transactions
    held = Position.objects.filter(kind="SECURITY").values_list("portfolio_id", "quantity")
    assert dict(held) == dict.fromkeys(names, D(30))

    # Entries dated back and a portfolio with new settings count as the whole ledgers they may take.
    pipeline.record(*[bought("AAA", "2025-01-02", portfolio_id=p, transaction_id="LATE") for p in names])
    settle()
    pipeline.calculate(*names)
    assert dict(held.all()) == dict.fromkeys(names, D(40))
