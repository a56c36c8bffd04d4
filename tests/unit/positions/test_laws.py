"""Laws that hold for any history of the types booked, under any settings: nothing is lost, nothing made up.

The histories go through the pure engine: purchases, sales (oversells among them), splits, income, fees and flows, in
three currencies, with times and without, with fees in cost and not, with and without shorts.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from portfolio.amounts import NIL, Amount, Base, Local, Trade, number_of, same_rate, total
from portfolio.money import ZERO, exact, plain
from portfolio.streaming.messages import SubmittedTransaction
from positions.engine.booking import Books, book
from positions.engine.entry import Entry, InstrumentTerms, Terms, enrich, key_of
from positions.engine.holdings import Holding, Kind
from positions.engine.rates import RateTable
from positions.evaluation import evaluate
from transactions.ledger import LedgerRow, normalised

FIRST_DAY = datetime.date(2025, 1, 1)
SECURITIES = {"AAA": "USD", "BBB": "EUR", "CCC": "GBP"}
SPLITS = ["2", "3", "1.5", "0.1", "7"]


def rate_table() -> RateTable:
    """EUR and GBP have rates that move every few days; GBP's reach base only through EUR."""
    rates = RateTable()
    for number in range(0, 30, 3):
        day = FIRST_DAY + datetime.timedelta(days=number - 3)
        rates.put("EUR", "USD", day, Decimal("1.1") + Decimal(number) / 70)
        rates.put("GBP", "EUR", day, Decimal("1.2") - Decimal(number) / 130)
    return rates


with exact():
    RATES = rate_table()

quantities = st.one_of(
    st.integers(1, 30).map(Decimal),
    st.decimals("0.000000000000000001", "30", places=18),
    st.just(Decimal("10.0000000000005")),
)
amounts = st.one_of(st.integers(0, 5000).map(Decimal), st.decimals("0", "99999.999999999999999999", places=18))
charges = st.sampled_from([ZERO, ZERO, Decimal("1.25"), Decimal("0.333333333333333333")])


@st.composite
def transactions(draw: st.DrawFn, number: int, types: Sequence[str]) -> SubmittedTransaction:
    transaction_type = draw(st.sampled_from(types))
    day = (FIRST_DAY + datetime.timedelta(days=draw(st.integers(0, 9)))).isoformat()
    security = draw(st.sampled_from(list(SECURITIES)))
    currency = SECURITIES[security] if draw(st.integers(0, 4)) else "USD"
    fields: dict[str, object] = {"trade_fee": draw(charges), "tax": draw(charges)}
    if transaction_type in ("BUY", "SELL"):
        fields |= {"security_id": security, "quantity": draw(quantities), "gross_transaction_amount": draw(amounts)}
        if not draw(st.integers(0, 5)):
            fields["transaction_fx_rate"] = draw(st.decimals("0.5", "2", places=6))
    elif transaction_type == "SPLIT":
        fields |= {
            "security_id": security,
            "ratio_new": Decimal(draw(st.sampled_from(SPLITS))),
            "ratio_old": Decimal(draw(st.sampled_from(SPLITS))),
        }
    else:
        fields["gross_transaction_amount"] = draw(amounts)
        if transaction_type in ("DIVIDEND", "INTEREST", "FEE", "TAX") and draw(st.booleans()):
            fields["security_id"] = security
    return SubmittedTransaction(
        portfolio_id="P1",
        transaction_id=f"T{number:02d}",
        transaction_type=transaction_type,
        transaction_date=f"{day}T{draw(st.integers(0, 23)):02d}:30:00Z" if not draw(st.integers(0, 3)) else day,
        currency=currency,
        **fields,  # type: ignore[arg-type]
    )


TRADES = ["BUY", "BUY", "BUY", "SELL", "SELL"]
EVERYTHING = [*TRADES, "SPLIT", "DEPOSIT", "WITHDRAWAL", "DIVIDEND", "INTEREST", "FEE", "TAX"]


def histories(types: Sequence[str] = EVERYTHING) -> st.SearchStrategy[list[SubmittedTransaction]]:
    return st.integers(1, 14).flatmap(lambda size: st.tuples(*(transactions(n, types) for n in range(size))).map(list))


settings_of_portfolios = st.fixed_dictionaries(
    {
        "cost_basis_method": st.sampled_from(["FIFO", "AVCO"]),
        "cash_tracked": st.booleans(),
        "allow_short": st.booleans(),
        "fees_in_cost": st.booleans(),
    }
)


def terms_of(chosen: dict[str, object]) -> Terms:
    instruments = {name: InstrumentTerms(currency) for name, currency in SECURITIES.items()}
    return Terms("P1", "USD", instruments=instruments, rates=RATES, **chosen)  # type: ignore[arg-type]


@dataclass
class Booked:
    """A history that went through the engine: the books, and the entries that were not left out."""

    books: Books
    entries: list[Entry]

    def securities(self) -> list[Holding]:
        return [held for key, held in self.books.holdings.items() if key.kind is Kind.SECURITY]


def booked(history: Sequence[SubmittedTransaction], chosen: dict[str, object]) -> Booked:
    terms = terms_of(chosen)
    rows: list[LedgerRow] = [normalised(one) for one in history]
    with exact():
        entries = [enrich(row, terms) for row in sorted(rows, key=key_of)]
        books = book(entries, Books(terms))
    left_out = {problem.entry.transaction_id for problem in books.problems}
    return Booked(books, [entry for entry in entries if entry.transaction_id not in left_out])


def cash_effect(entry: Entry) -> Amount[Trade]:
    """What FINANCE's table says of cash, written down a second time; a dividend's sign is the holding's."""
    costs = entry.fee + entry.tax
    sign = {"BUY": -1, "WITHDRAWAL": -1, "FEE": -1, "TAX": -1, "SPLIT": 0}.get(entry.transaction_type, 1)
    return sign * entry.gross - costs


@given(histories(TRADES), settings_of_portfolios)
def test_what_came_in_is_held_or_was_disposed_of(history, chosen):
    run = booked(history, chosen)
    with exact():
        for held in run.securities():
            traded = [e for e in run.entries if e.security_id == held.key.security_id]
            net = sum((e.quantity if e.transaction_type == "BUY" else -e.quantity for e in traded), ZERO)
            # A sale within the dust of what was held took exactly that: off by no more than a sale's dust each.
            assert abs(held.quantity - net) <= len(traded) * Decimal("1e-12")
            lots = held.open_lots()
            assert sum((lot.quantity for lot in lots), ZERO) == held.quantity
            assert all((lot.quantity > 0) == (held.quantity > 0) and lot.quantity for lot in lots)
            assert held.quantity >= 0 or chosen["allow_short"]


@given(histories(), settings_of_portfolios)
def test_cost_that_came_in_is_held_or_was_relieved_to_the_last_digit(history, chosen):
    """Long and short, local and base: amounts of trades = signed cost held + what disposals took and brought."""
    run = booked(history, chosen)
    with exact():
        for held in run.securities():
            trades = [
                e
                for e in run.entries
                if e.security_id == held.key.security_id and e.transaction_type in ("BUY", "SELL")
            ]
            disposals = [d for d in run.books.disposals if d.security_id == held.key.security_id]
            lots = held.open_lots()
            assert total(lot.cost_basis for lot in lots) == held.cost_basis
            assert total(lot.cost_basis_base for lot in lots) == held.cost_basis_base
            gains = total(d.realized_gain for d in disposals)
            gains_base = total(d.realized_gain_base for d in disposals)
            paid: Amount[Local] = NIL
            for trade in trades:
                sign = 1 if trade.transaction_type == "BUY" else -1
                costs = trade.fee + trade.tax if chosen["fees_in_cost"] else NIL
                paid += run.books.local(held, trade, sign * trade.gross + costs)
            if "CONVERTED" not in held.flags:
                assert held.cost_basis - gains == paid
            paid_base = total(
                e.base(
                    (1 if e.transaction_type == "BUY" else -1) * e.gross
                    + (e.fee + e.tax if chosen["fees_in_cost"] else NIL)
                )
                for e in trades
            )
            # A trade through zero is converted in two parts, each rounded by itself.
            assert abs(number_of(held.cost_basis_base - gains_base - paid_base)) <= len(trades) * Decimal("1e-18")
            assert (held.realized_gain, held.realized_gain_base) == (gains, gains_base)


@given(histories(), settings_of_portfolios)
def test_the_price_and_fx_parts_of_gains_add_up(history, chosen):
    """In the holding's own currency the price part of a disposal is its local gain at the rate of the disposal."""
    run = booked(history, chosen)
    with exact():
        for held in run.securities():
            disposals = [d for d in run.books.disposals if d.security_id == held.key.security_id]
            assert held.realized_fx_gain_base == total(d.realized_fx_gain_base for d in disposals)
            for disposal in disposals:
                if held.currency == "USD":
                    assert (
                        disposal.realized_fx_gain_base == 0
                        or disposal.closing.currency != "USD"
                        or "CONVERTED" in held.flags
                    )
                if disposal.closing.currency == held.currency:
                    price_part = disposal.realized_gain_base - disposal.realized_fx_gain_base
                    at_rate = disposal.realized_gain * same_rate(disposal.closing.rate, Local, Base)
                    assert abs(number_of(price_part - at_rate)) <= Decimal("2e-18")


@given(histories(), settings_of_portfolios)
def test_a_cash_balance_is_the_sum_of_cash_effects(history, chosen):
    run = booked(history, chosen)
    paid_while_short = {
        e.transaction_id for e in run.entries if e.transaction_type == "DIVIDEND" and is_short_at(history, chosen, e)
    }
    with exact():
        for held in (h for key, h in run.books.holdings.items() if key.kind is Kind.CASH):
            effects = total(
                cash_effect(e) - (2 * e.gross if e.transaction_id in paid_while_short else NIL)
                for e in run.entries
                if e.currency == held.key.security_id
            )
            assert held.quantity == (effects if chosen["cash_tracked"] else ZERO)
            assert held.cost_basis == held.quantity


def is_short_at(history: Sequence[SubmittedTransaction], chosen: dict[str, object], entry: Entry) -> bool:
    """Whether the entry's security is short just before it."""
    before = booked([one for one in history if key_of(normalised(one)) < entry.key], chosen)
    return any(h.key.security_id == entry.security_id and h.quantity < 0 for h in before.securities())


@given(histories(), settings_of_portfolios)
def test_base_money_in_cash_is_held_or_was_relieved(history, chosen):
    run = booked(history, chosen | {"cash_tracked": True})
    with exact():
        for held in (h for key, h in run.books.holdings.items() if key.kind is Kind.CASH):
            moved = [
                e
                for e in run.entries
                if e.currency == held.key.security_id and e.transaction_type in ("DEPOSIT", "WITHDRAWAL")
            ]
            if len(moved) == sum(e.currency == held.key.security_id for e in run.entries):
                left = held.cost_basis_base - held.realized_fx_gain_base - total(e.base(cash_effect(e)) for e in moved)
                assert abs(number_of(left)) <= 2 * len(moved) * Decimal("1e-18")


@given(histories(["BUY", "BUY", "SELL", "SPLIT", "DIVIDEND"]), st.booleans(), st.booleans())
def test_once_flat_the_gain_is_the_same_for_every_cost_method(history, fees_in_cost, allow_short):
    """What was bought is sold, whatever lot was taken when: only the order of the gains differs."""
    own_currency = [one for one in history if one.currency == SECURITIES.get(one.security_id or "", "USD")]
    chosen = {"fees_in_cost": fees_in_cost, "allow_short": allow_short}
    runs = {method: booked(own_currency, chosen | {"cost_basis_method": method}) for method in ("FIFO", "AVCO")}
    assert len({tuple(e.transaction_id for e in run.entries) for run in runs.values()}) == 1
    closing = [
        SubmittedTransaction(
            portfolio_id="P1",
            transaction_id=f"Z{held.key.security_id}",
            transaction_type="SELL" if held.quantity > 0 else "BUY",
            security_id=held.key.security_id,
            quantity=abs(held.quantity),
            gross_transaction_amount=Decimal("1000.01"),
            transaction_date="2025-01-20",
            currency=held.currency,
        )
        for held in runs["FIFO"].securities()
        if held.quantity
    ]
    assume(closing)
    flat = {method: booked([*own_currency, *closing], chosen | {"cost_basis_method": method}) for method in runs}
    for one, other in zip(flat["FIFO"].securities(), flat["AVCO"].securities(), strict=True):
        assert not any((one.quantity, other.quantity, one.cost_basis, other.cost_basis, one.cost_basis_base))
        assert one.realized_gain == other.realized_gain
        assert abs(number_of(one.realized_gain_base - other.realized_gain_base)) <= len(history) * Decimal("1e-18")


def evaluated(
    history: Sequence[SubmittedTransaction], chosen: dict[str, object], as_of: datetime.date
) -> dict[str, Any]:
    """The answer of the API, with the rates of the laws."""
    names = {"cash_tracked": "cash_mode"}
    values = {True: "TRACKED", False: "UNTRACKED"}
    portfolio = {names.get(k, k): values[v] if k == "cash_tracked" else v for k, v in chosen.items()}  # type: ignore[index]
    request = {
        "portfolio": portfolio | {"portfolio_id": "P1", "base_currency": "USD"},
        "transactions": [
            {
                name: plain(v) if isinstance(v, Decimal) else v
                for name in one.__struct_fields__
                if (v := getattr(one, name)) not in (None, ())
            }
            for one in history
        ],
        "instruments": [{"security_id": s, "currency": currency} for s, currency in SECURITIES.items()],
        "fx_rates": [
            {"from_currency": "EUR", "to_currency": "USD", "rate_date": "2024-12-30", "rate": "1.1"},
            {"from_currency": "GBP", "to_currency": "EUR", "rate_date": "2025-01-03", "rate": "1.2"},
        ],
        "as_of": as_of.isoformat(),
    }
    return evaluate(json.dumps(request).encode(), today=as_of)


@given(histories(), settings_of_portfolios, st.integers(0, 9))
def test_the_state_of_a_day_is_that_of_the_transactions_up_to_it(history, chosen, number):
    day = FIRST_DAY + datetime.timedelta(days=number)
    until = [one for one in history if one.transaction_date[:10] <= day.isoformat()]
    assert evaluated(history, chosen, day) == evaluated(until, chosen, day)


@given(histories(), settings_of_portfolios, st.randoms(use_true_random=False))
def test_the_order_in_which_transactions_are_given_makes_no_difference(history, chosen, random):
    day = FIRST_DAY + datetime.timedelta(days=12)
    shuffled = random.sample(history, len(history))
    assert evaluated(shuffled, chosen, day) == evaluated(history, chosen, day)


@given(histories(), settings_of_portfolios)
def test_every_acceptable_history_has_an_answer_that_adds_up(history, chosen):
    day = FIRST_DAY + datetime.timedelta(days=12)
    answer = evaluated(history, chosen, day)
    totals = answer["totals"]
    if all(isinstance(totals[name], str) for name in ("value", "securities", "cash")):
        with exact():
            assert Decimal(totals["value"]) == Decimal(totals["securities"]) + Decimal(totals["cash"])
            weights = [p["weight"] for p in answer["positions"]]
            if Decimal(totals["value"]) and all(isinstance(weight, str) for weight in weights):
                share = Decimal(totals["securities"]) / Decimal(totals["value"])
                assert abs(sum(map(Decimal, weights), ZERO) - share) <= len(weights) * Decimal("1e-18")


@given(histories(), settings_of_portfolios, st.integers(0, 13))
def test_booking_in_two_steps_is_booking_at_once(history, chosen, cut):
    """What goes on after a day, or in the midst of it, goes on where it stopped."""
    terms = terms_of(chosen)
    rows = sorted((normalised(one) for one in history), key=key_of)
    with exact():
        at_once = book((enrich(row, terms) for row in rows), Books(terms))
        in_steps = book((enrich(row, terms) for row in rows[:cut]), Books(terms))
        book((enrich(row, terms) for row in rows[cut:]), in_steps)
        assert at_once.disposals == in_steps.disposals
        for key, held in at_once.holdings.items():
            in_steps_lots = in_steps.holdings[key].open_lots()
            assert [astuple(lot) for lot in held.open_lots()] == [astuple(lot) for lot in in_steps_lots]
            assert (held.quantity, held.cost_basis, held.income, held.fees_base) == (
                in_steps.holdings[key].quantity,
                in_steps.holdings[key].cost_basis,
                in_steps.holdings[key].income,
                in_steps.holdings[key].fees_base,
            )


REACHED = {
    "an oversell": lambda run: any(p.code == "OVERSOLD" for p in run.books.problems),
    "a split of nothing": lambda run: any(p.code == "NOTHING_HELD" for p in run.books.problems),
    "a covered short": lambda run: any(d.closing.transaction_type == "BUY" for d in run.books.disposals),
    "a trade through zero": lambda run: any(
        any(
            lot.key.opening_transaction_id == d.closing.transaction_id for held in run.securities() for lot in held.lots
        )
        or any(lot.key.opening_transaction_id == d.closing.transaction_id for h in run.securities() for lot in h.opened)
        for d in run.books.disposals
    ),
    "a converted trade": lambda run: any("CONVERTED" in held.flags for held in run.securities()),
    "two lots taken by one sale": lambda run: any(d.piece for d in run.books.disposals),
}


@pytest.mark.parametrize("name", REACHED)
def test_the_histories_reach(name):
    """What the laws speak of does happen in the histories they are tried on."""
    wanted = REACHED[name]
    found = find(
        st.tuples(histories(), settings_of_portfolios),
        lambda drawn: wanted(booked(*drawn)),
        settings=settings(max_examples=5000, database=None, phases=[Phase.generate]),
        random=Random(7),
    )
    assert found
