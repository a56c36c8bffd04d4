"""Variants: what was believed at a moment, and what another cost method would say; held against the stored rows."""

from __future__ import annotations

import datetime
import random
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from portfolio.amounts import number_of
from portfolio.models import PortfolioChange
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
from positions.api.serializers import DisposalSerializer, LotSerializer
from positions.calculating.market import market
from positions.figures import disposal_answer, exception_answer, lots_answer, portfolio_answer
from positions.models import DISPOSAL_ORDER, LOT_ORDER, BookingException, Disposal, Lot
from positions.queries import snapshot_of, state_of
from positions.variants.believed import forget_tables
from positions.variants.booked import Asked, Variant, book_variant, forget_variants, variant_of
from positions.variants.chains import ChainTooLong
from tests import pipeline
from tests.histories import CURRENCIES, METHODS, a_history
from tests.pipeline import NOW, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
PORTFOLIOS = ("P1", "P2", "P3")
HOUR = datetime.timedelta(hours=1)
LAST_DAY = datetime.date(2025, 1, 31)


def january(number: int) -> datetime.date:
    return datetime.date(2025, 1, number)


def settle(methods: dict[str, str] | None = None, *, now: datetime.datetime = NOW, **others: Any) -> None:
    for portfolio_id in PORTFOLIOS:
        attributes = SubmittedPortfolio(
            portfolio_id=portfolio_id,
            base_currency="EUR" if portfolio_id == "P2" else "USD",
            cost_basis_method=(methods or {}).get(portfolio_id, "FIFO"),  # type: ignore[arg-type]
            **others,
        )
        pipeline.record_reference(RawPortfolio(portfolio=attributes), now=now)


def a_market(choose: random.Random) -> list[Any]:
    """Quotes and rates of a few days, some of them corrections of what was quoted before."""
    prices = [
        RawPrice(
            market_price=SubmittedPrice(
                security_id=choose.choice(list(CURRENCIES)),
                price_date=january(choose.randint(1, 28)),
                price=D(choose.randint(100, 9999)) / 100,
                currency="USD",
                version=choose.randint(1, 2),
            )
        )
        for _ in range(4)
    ]
    rates = [
        RawRate(
            fx_rate=SubmittedRate(
                from_currency=choose.choice(["EUR", "GBP"]),
                to_currency="USD",
                rate_date=january(choose.randint(1, 28)),
                rate=D(choose.randint(80, 150)) / 100,
                version=choose.randint(1, 2),
            )
        )
        for _ in range(2)
    ]
    return [*prices, *rates]


def stored(portfolio_id: str, as_of: datetime.date) -> dict[str, Any]:
    market.refresh()
    answer = portfolio_answer(snapshot_of(state=state_of(portfolio_id=portfolio_id), as_of=as_of), closed=True)
    rows = BookingException.objects.filter(portfolio_id=portfolio_id, transaction_date__lte=as_of)
    answer["exceptions"] = sorted(rows.values_list("transaction_id", "code", "security_id"))
    disposals = Disposal.objects.filter(portfolio_id=portfolio_id, disposal_date__lte=as_of).order_by(*DISPOSAL_ORDER)
    answer["disposals"] = _comparable(DisposalSerializer(disposals, many=True).data)
    if as_of == LAST_DAY:
        lots = Lot.objects.filter(portfolio_id=portfolio_id).order_by(*LOT_ORDER)
        answer["lots"] = _comparable(LotSerializer(lots, many=True).data)
    return answer


def booked(variant: Variant, as_of: datetime.date) -> dict[str, Any]:
    answer = portfolio_answer(variant.snapshot, closed=True)
    problems = [exception_answer(problem) for problem in variant.books.problems]
    answer["exceptions"] = sorted((p["transaction_id"], p["code"], p["security_id"]) for p in problems)
    ordered = sorted(
        variant.books.disposals, key=lambda d: (d.closing.date, d.closing.transaction_id, d.security_id, d.piece)
    )
    answer["disposals"] = _comparable([disposal_answer(disposal) for disposal in ordered])
    if as_of == LAST_DAY:
        answer["lots"] = _comparable(lots_answer(variant.books.holdings.values()))
    return answer


def _comparable(rows: Any) -> list[dict[str, Any]]:
    return [{name: str(value) for name, value in row.items()} for row in rows]


def start_anew() -> None:
    from django.db import connection

    pipeline.forget(PORTFOLIOS)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM market_prices; DELETE FROM fx_rates; DELETE FROM market_marks")
    market.forget()
    forget_tables()
    forget_variants()


# --- what was known -----------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), methods=st.tuples(*[st.sampled_from(METHODS)] * 3), short=st.booleans())
@example(seed=286333, methods=("FIFO",) * 3, short=False)  # the taker of an OUT is cancelled, and another wanted it
def test_what_the_rows_said_then_is_what_is_known_at_that_moment(seed, methods, short):
    """Transactions with corrections, quotes and rates arrive in batches in any order, transfers between portfolios and
    all. After each the rows are noted; later, each moment is asked for again.
    """
    start_anew()
    choose = random.Random(seed)
    settle(dict(zip(PORTFOLIOS, methods, strict=True)), allow_short=short)
    arriving = a_history(seed, 40, portfolio_ids=PORTFOLIOS)
    choose.shuffle(arriving)
    noted: list[tuple[datetime.datetime, datetime.date, str, dict[str, Any]]] = []
    for number in range(5):
        moment = NOW + (number + 1) * HOUR
        pipeline.record(*arriving[number * 10 : number * 10 + 10 if number < 4 else None], now=moment)
        pipeline.record_reference(*a_market(choose), now=moment)
        pipeline.calculate(*PORTFOLIOS)
        noted += [
            (moment + HOUR / 2, as_of, p, stored(p, as_of))
            for p in PORTFOLIOS
            if PortfolioChange.objects.filter(portfolio_id=p, change_seq__gt=1).exists()
            for as_of in (january(choose.randint(1, 28)), LAST_DAY)
        ]

    for known_at, as_of, portfolio_id, rows in noted:
        variant = book_variant(Asked(portfolio_id, as_of, None, known_at))
        assert booked(variant, as_of) == rows, (portfolio_id, as_of, known_at)


def moved(kind: str, portfolio_id: str, transaction_id: str, day: str, **fields: Any) -> Any:
    named = {"portfolio_id": portfolio_id, "security_id": "AAA", "transaction_id": transaction_id}
    return transaction(kind, **named, transaction_date=day, **fields)


def a_chain() -> None:
    """P1 bought 5 for 500 and gave them to P2, which gave them to P3. An hour later the purchase is corrected to 600."""
    settle(now=NOW)
    link = {"gross_transaction_amount": D(1), "quantity": D(5)}
    pipeline.record(
        moved("BUY", "P1", "B1", "2025-01-02", quantity=D(5), price=D(100)),
        moved("TRANSFER_OUT", "P1", "O1", "2025-01-06", quantity=D(5)),
        moved("TRANSFER_IN", "P2", "I1", "2025-01-06", linked_portfolio_id="P1", linked_transaction_id="O1", **link),
        moved("TRANSFER_OUT", "P2", "O2", "2025-01-07", quantity=D(5)),
        moved("TRANSFER_IN", "P3", "I2", "2025-01-07", linked_portfolio_id="P2", linked_transaction_id="O2", **link),
        now=NOW,
    )
    pipeline.record(moved("BUY", "P1", "B1", "2025-01-02", quantity=D(5), price=D(120), version=2), now=NOW + HOUR)


def cost_of(variant: Variant) -> list[tuple[str, Decimal, Decimal]]:
    return [
        (lot.key.opening_transaction_id, lot.quantity, number_of(lot.cost_basis))
        for held in variant.books.holdings.values()
        if held.key.security_id == "AAA"
        for lot in held.open_lots()
    ]


def test_what_others_gave_is_what_they_gave_as_known_then_through_a_chain():
    a_chain()
    pipeline.calculate(*PORTFOLIOS)

    before = book_variant(Asked("P3", LAST_DAY, None, NOW + HOUR / 2))
    after = book_variant(Asked("P3", LAST_DAY, None, NOW + 2 * HOUR))

    assert cost_of(before) == [("B1", D(5), D(500))]
    assert cost_of(after) == [("B1", D(5), D(600))]


def test_what_was_known_needs_nothing_to_have_been_calculated():
    a_chain()

    assert cost_of(book_variant(Asked("P3", LAST_DAY, None, NOW + 2 * HOUR))) == [("B1", D(5), D(600))]


def test_a_chain_that_leads_too_far_is_refused(monkeypatch):
    a_chain()
    monkeypatch.setattr("positions.variants.chains.PORTFOLIOS_MAX", 2)

    with pytest.raises(ChainTooLong, match="more than 2 portfolios"):
        book_variant(Asked("P3", LAST_DAY, None, NOW + 2 * HOUR))


def test_a_link_that_was_cancelled_later_counted_then():
    """P2 and P3 both claim the OUT; P2, which stands first, is cancelled an hour later."""
    settle(now=NOW)
    link = {"linked_portfolio_id": "P1", "linked_transaction_id": "O1", "quantity": D(5)}
    amount = {"gross_transaction_amount": D(1)}
    pipeline.record(
        moved("BUY", "P1", "B1", "2025-01-02", quantity=D(5), price=D(100)),
        moved("TRANSFER_OUT", "P1", "O1", "2025-01-06", quantity=D(5)),
        moved("TRANSFER_IN", "P2", "I1", "2025-01-06", **link, **amount),
        moved("TRANSFER_IN", "P3", "I2", "2025-01-07", **link, **amount),
        now=NOW,
    )
    pipeline.record(
        moved("TRANSFER_IN", "P2", "I1", "2025-01-06", **link, **amount, version=2, status="CANCELLED"), now=NOW + HOUR
    )

    assert cost_of(book_variant(Asked("P3", LAST_DAY, None, NOW + HOUR / 2))) == [("I2", D(5), D(1))]
    assert cost_of(book_variant(Asked("P3", LAST_DAY, None, NOW + 2 * HOUR))) == [("B1", D(5), D(500))]


# --- another cost method ------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS), other=st.sampled_from(METHODS))
def test_another_method_says_what_the_rows_say_where_it_is_the_portfolios_own(seed, method, other):
    start_anew()
    history = a_history(seed, 50)
    pipeline.record_reference(*a_market(random.Random(seed)))
    for own in (method, other):
        settle({"P1": own})
        if own == method:
            pipeline.record(*history)
            pipeline.calculate("P1")
            rows = [stored("P1", as_of) for as_of in (january(10), LAST_DAY)]
        else:
            pipeline.calculate("P1")

    variants = [(book_variant(Asked("P1", as_of, method, None)), as_of) for as_of in (january(10), LAST_DAY)]
    assert [booked(variant, as_of) for variant, as_of in variants] == rows


def test_another_portfolio_gives_by_its_own_method_and_within_one_the_asked_method_gives():
    """P1 (LIFO) gives 5 of 5 for 500 and 5 for 550: those for 550. P3 passes 2 of its own on to itself, by what is asked.

    P3 had 2 for 100 and 2 for 120: FIFO gives those for 100, LIFO those for 120.
    """
    settle({"P1": "LIFO"})
    pipeline.record(
        moved("BUY", "P1", "B1", "2025-01-02", quantity=D(5), price=D(100)),
        moved("BUY", "P1", "B2", "2025-01-03", quantity=D(5), price=D(110)),
        moved("TRANSFER_OUT", "P1", "O1", "2025-01-06", quantity=D(5)),
        moved(
            "TRANSFER_IN",
            "P3",
            "I1",
            "2025-01-06",
            linked_portfolio_id="P1",
            linked_transaction_id="O1",
            quantity=D(5),
            gross_transaction_amount=D(1),
        ),
        transaction(
            "BUY",
            portfolio_id="P3",
            transaction_id="B3",
            security_id="BBB",
            quantity=D(2),
            price=D(50),
            transaction_date="2025-01-02",
        ),
        transaction(
            "BUY",
            portfolio_id="P3",
            transaction_id="B4",
            security_id="BBB",
            quantity=D(2),
            price=D(60),
            transaction_date="2025-01-03",
        ),
        transaction(
            "TRANSFER_OUT",
            portfolio_id="P3",
            transaction_id="O2",
            security_id="BBB",
            quantity=D(2),
            transaction_date="2025-01-06",
        ),
        transaction(
            "TRANSFER_IN",
            portfolio_id="P3",
            transaction_id="I2",
            security_id="BBB",
            quantity=D(2),
            transaction_date="2025-01-08",
            linked_transaction_id="O2",
            gross_transaction_amount=D(1),
        ),
    )
    pipeline.calculate(*PORTFOLIOS)

    for method, left_on_the_7th in (("FIFO", "B4"), ("LIFO", "B3")):
        for known_at in (None, NOW + HOUR):
            variant = book_variant(Asked("P3", january(7), method, known_at))
            assert cost_of(variant) == [("B2", D(5), D(550))]
            (held,) = [h for h in variant.books.holdings.values() if h.key.security_id == "BBB"]
            assert [lot.key.opening_transaction_id for lot in held.open_lots()] == [left_on_the_7th]


# --- what is kept -------------------------------------------------------------------------------------------------


class NoMore(Exception):
    """Something would be booked."""


def refuse() -> Any:
    raise NoMore


def ask(portfolio_id: str, known_at: datetime.datetime | None, apart: Any = nullcontext) -> Variant:
    mark = PortfolioChange.objects.get(portfolio_id=portfolio_id)
    return variant_of(Asked(portfolio_id, LAST_DAY, "LIFO", known_at), mark=mark, apart=apart)


def test_a_variant_is_booked_once_until_something_it_rests_on_changes():
    a_chain()
    pipeline.calculate(*PORTFOLIOS)
    first = ask("P1", None)
    assert ask("P1", None, refuse) is first

    pipeline.record(moved("BUY", "P1", "B9", "2025-01-09", quantity=D(1), price=D(1)))
    with pytest.raises(NoMore):
        ask("P1", None, refuse)
    second = ask("P1", None)
    pipeline.record_reference(*a_market(random.Random(1)), now=NOW + 2 * HOUR)
    with pytest.raises(NoMore):
        ask("P1", None, refuse)
    assert len(cost_of(second)) > len(cost_of(first))


def test_a_moment_after_which_nothing_was_recorded_is_as_good_as_any_other():
    settle()
    pipeline.record(moved("BUY", "P1", "B1", "2025-01-02", quantity=D(5), price=D(100)))
    first = ask("P1", NOW + HOUR)

    assert ask("P1", NOW + 2 * HOUR, refuse) is first
    with pytest.raises(NoMore):
        ask("P1", NOW - HOUR, refuse)


def test_what_a_giver_has_recorded_since_is_booked_anew():
    a_chain()
    pipeline.calculate(*PORTFOLIOS)
    known_at = NOW + 2 * HOUR
    ask("P3", known_at)
    ask("P3", known_at, refuse)

    pipeline.record(moved("BUY", "P1", "B9", "2025-01-09", quantity=D(1), price=D(1)), now=NOW + 3 * HOUR)

    with pytest.raises(NoMore):
        ask("P3", known_at, refuse)


def test_only_so_many_transactions_are_kept(settings):
    settings.VARIANTS_KEPT_TRANSACTIONS_MAX = 1_500
    a_chain()
    pipeline.calculate(*PORTFOLIOS)
    ask("P1", None)
    ask("P2", None)

    ask("P2", None, refuse)
    with pytest.raises(NoMore):
        ask("P1", None, refuse)


def test_attributes_that_arrive_are_those_of_today_at_any_moment_of_knowledge():
    settle()
    pipeline.record(
        transaction("BUY", security_id="BOND", quantity=D(1000), price=D(99), transaction_date="2025-01-02")
    )
    before = book_variant(Asked("P1", LAST_DAY, None, NOW + HOUR))
    assert portfolio_answer(before.snapshot, closed=False)["positions"][0]["flags"] == [
        "FROM_TRADE",
        "PROVISIONAL",
        "STALE",
    ]
    bond = SubmittedInstrument(security_id="BOND", currency="USD", price_factor=D("0.01"))
    pipeline.record_reference(RawInstrument(instrument=bond), now=NOW + 2 * HOUR)

    after = book_variant(Asked("P1", LAST_DAY, None, NOW + HOUR))

    # 1000 x 99 x 0.01
    (position,) = portfolio_answer(after.snapshot, closed=False)["positions"]
    assert (position["cost_basis"], position["flags"]) == ("990", ["FROM_TRADE", "STALE"])
