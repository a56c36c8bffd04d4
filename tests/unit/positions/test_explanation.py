"""The parts of a figure add up to it, on random histories of every type: for every holding and every cost method."""

from __future__ import annotations

import datetime
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from portfolio.amounts import Quoted, amount_of, number_of, total
from portfolio.money import ZERO, exact
from positions.engine.booking import Books, book
from positions.engine.entry import Entry, Terms, enrich, key_of
from positions.engine.holdings import HoldingKey, Kind
from positions.engine.rates import RateTable
from positions.engine.valuation import MarketPrice, value_holding
from positions.explaining.explanation import MEASURES, Watch, disposal_parts, lot_parts
from tests.histories import CURRENCIES, METHODS, a_history
from transactions.ledger import normalised

D = Decimal
DAY = datetime.date(2025, 1, 31)
KEYS = [*(HoldingKey(Kind.SECURITY, name) for name in CURRENCIES), HoldingKey(Kind.CASH, "EUR")]
KEYS += [HoldingKey(Kind.CASH, "USD")]


def watched(seed: int, method: str, *, first_rate: int) -> tuple[Books, dict[tuple[HoldingKey, str], Watch]]:
    """A history booked; rates to base begin on a day of January, so that what came before has none."""
    rates = RateTable()
    for number in (first_rate, first_rate + 6):
        rates.put("EUR", "USD", datetime.date(2025, 1, number), D("1.1") + D(number) / 100)
    terms = Terms("P1", "USD", method, allow_short=bool(seed % 2), rates=rates)
    books = Books(terms)
    watches = {(key, figure): Watch(books, key, measure) for key in KEYS for figure, measure in MEASURES.items()}

    def before_entry(entry: Entry) -> None:
        for watch in watches.values():
            watch.before_entry(entry)

    with exact():
        rows = sorted((normalised(one) for one in a_history(seed, 40, corrections=False)), key=key_of)
        book([enrich(row, terms) for row in rows], books, before_entry=before_entry)
    return books, watches


def figures(held):
    cost_base = D("NaN") if held.unrated_lots else held.cost_basis_base
    return {
        "quantity": (held.quantity, ZERO),
        "cost_basis": (held.cost_basis, cost_base),
        "cash": (held.cost_basis, cost_base),
        "income": (held.income, held.income_base),
        "fees": (held.fees_base, held.fees_base),
        "taxes": (held.taxes_base, held.taxes_base),
    }


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS), first_rate=st.integers(1, 12))
def test_what_each_entry_changed_adds_up_to_the_figure(seed, method, first_rate):
    books, watches = watched(seed, method, first_rate=first_rate)

    with exact():
        for (key, figure), watch in watches.items():
            parts = watch.parts()
            if key not in books.holdings:
                assert not parts
                continue
            value, value_base = figures(books.holdings[key])[figure]
            for total, known, amounts in (
                (
                    value,
                    sum((part.contributed.known for part in parts), ZERO),
                    [part.contributed.amount for part in parts],
                ),
                (
                    value_base,
                    sum((part.contributed.known_base for part in parts), ZERO),
                    [part.contributed.amount_base for part in parts],
                ),
            ):
                if total.is_nan():
                    assert any(amount.is_nan() for amount in amounts)
                else:
                    assert total == known
                if not any(amount.is_nan() for amount in amounts):
                    assert sum(amounts, ZERO) == known


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS), first_rate=st.integers(1, 12))
def test_disposals_add_up_to_the_realised_gain_and_lots_to_the_unrealised(seed, method, first_rate):
    books, _ = watched(seed, method, first_rate=first_rate)

    with exact():
        for key, held in books.holdings.items():
            if key.kind is Kind.CASH:
                continue
            parts = disposal_parts(books.disposals, key.security_id)
            assert_same(sum((part.contributed.amount for part in parts), ZERO), number_of(held.realized_gain))
            assert_same(sum((part.contributed.amount_base for part in parts), ZERO), number_of(held.realized_gain_base))
            value = value_holding(
                held,
                day=DAY,
                market_price=MarketPrice(amount_of(D("33.333333"), Quoted), "USD", DAY, D(7) / 3),
                price_factor=D("0.01"),
                base_currency="USD",
                rates=books.terms.rates,
            )
            gains = lot_parts(held, value, gain=True)
            assert_same(number_of(total(part.amount for part in gains)), number_of(value.unrealized_gain))
            assert_same(number_of(total(part.amount_base for part in gains)), number_of(value.unrealized_gain_base))
            assert_same(number_of(total(part.fx_gain_base for part in gains)), number_of(value.unrealized_fx_gain_base))
            worths = lot_parts(held, value, gain=False)
            assert_same(number_of(total(part.amount for part in worths)), number_of(value.market_value))
            assert_same(number_of(total(part.amount_base for part in worths)), number_of(value.market_value_base))


def assert_same(one: Decimal, other: Decimal) -> None:
    assert (one.is_nan() and other.is_nan()) or one == other


def test_an_entry_that_changes_nothing_of_a_figure_is_no_part_of_it():
    books = Books(Terms("P1", "USD"))
    watch = Watch(books, HoldingKey(Kind.SECURITY, "AAA"), MEASURES["quantity"])
    history = [one for seed in range(30) for one in a_history(seed, 30, corrections=False)]
    rows = [normalised(one) for one in history if one.transaction_type == "DIVIDEND"]
    assert rows
    with exact():
        book([enrich(row, books.terms) for row in sorted(rows, key=key_of)], books, before_entry=watch.before_entry)

    assert watch.parts() == []
