"""Which arithmetic of amounts the type checker lets pass, and that it costs nothing at run time.

mypy reads all the lines below in one run, with the types of the engine before it: a type that became Any would let the
refused ones pass, and the tests of those fail.
"""

from __future__ import annotations

import re
import typing
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from mypy import api

from portfolio.amounts import (
    AT_PAR,
    NIL,
    UNKNOWN_AMOUNT,
    UNKNOWN_RATE,
    Amount,
    Base,
    ExchangeRate,
    Local,
    Trade,
    amount_of,
    number_of,
    rate_of,
    same_money,
    same_rate,
    total,
)
from portfolio.money import exact, rounded
from positions.engine.lots import Lot

ROOT = Path(__file__).parents[3]
D = Decimal

PRELUDE = """
from decimal import Decimal
from typing import assert_type
from portfolio.amounts import *
from portfolio.money import ZERO, plain, rounded
from positions.analytics.history import History, MoveValue
from positions.analytics.walks import Worth as WorthOfDay
from positions.analytics.statement import Statement
from positions.engine.books import Books, Disposal, Worth
from positions.engine.cash import move_cash
from positions.engine.entry import Entry
from positions.engine.links import Given
from positions.engine.holdings import Holding
from positions.engine.lots import Lot, LotKey, Piece, spread
from positions.engine.moves import Move
from positions.engine.postings import Posting, move
from positions.engine.valuation import MarketPrice, Valuation, worth_of
from positions.figures import figure

trade: Amount[Trade]
local: Amount[Local]
base: Amount[Base]
number: Decimal
to_base: ExchangeRate[Trade, Base]
local_to_base: ExchangeRate[Local, Base]
yes: bool
entry: Entry
books: Books
held: Holding
lot: Lot
piece: Piece
key: LotKey
posting: Posting
disposal: Disposal
given: Given
a_move: Move
moved: MoveValue
quote: MarketPrice
valued: Valuation
history: History
of_day: WorthOfDay
of_period: Statement
"""

REFUSED = {
    # sums and comparisons of two moneys, or of a money and a number
    "base + local": "operator",
    "base - trade": "operator",
    "base + number": "operator",
    "number + base": "operator",
    "base - number": "operator",
    "base + 1": "operator",
    "base + ZERO": "operator",
    "base < local": "operator",
    "base == local": "operator",
    "base != local": "operator",
    "base > 1": "operator",
    "base += local": "operator",
    "sum_of_two: Amount[Base] = sum([base, local], NIL)": "list-item",
    "total([base, local])": "type-var",
    "(base if yes else local) + base": "operator",
    "larger: Amount[Base] = max(base, local)": "arg-type",
    "figure([base, local][0])": "arg-type",
    "rounded(base) + rounded(local)": "arg-type",
    "abs(base) - abs(local)": "arg-type",
    "-base + local": "operator",
    "base * number + local / number": "operator",
    # products that are no money
    "base * base": "operator",
    "base / local": "operator",
    "number / base": "operator",
    # rates
    "base * to_base": "operator",
    "local * to_base": "operator",
    "number * to_base": "operator",
    "trade * to_base + local": "operator",
    "back: ExchangeRate[Base, Trade] = to_base": "assignment",
    # what is no amount until a door says so, and no number until one does
    "paid: Amount[Base] = number": "assignment",
    "quantity: Decimal = base": "assignment",
    "other: Amount[Base] = local": "assignment",
    "float(base)": "arg-type",
    "amount_of(base, Local)": "arg-type",
    "rate_of(local_to_base, Local, Base)": "arg-type",
    # the engine
    "entry.base(local)": "arg-type",
    "entry.base(base)": "arg-type",
    "entry.base(number)": "arg-type",
    "entry.gross + entry.target_amount": "operator",
    "entry.quantity + entry.fee": "operator",
    "entry.gross + entry.base(entry.fee)": "operator",
    "entry.rate * entry.gross": "operator",
    "held.cost_basis + held.cost_basis_base": "operator",
    "held.cost_basis += entry.gross": "operator",
    "held.income += posting.income_base": "operator",
    "held.quantity += lot.cost_basis": "operator",
    "held.add_up(income_base=entry.gross)": "arg-type",
    "held.add_up(income_base=held.income)": "arg-type",
    "held.pay(base, local)": "arg-type",
    "held.relieve(lot, piece.cost_basis_base, piece.cost_basis)": "arg-type arg-type",
    "held.trade_price = entry.price": "assignment",
    "Lot(key, number, base, local)": "arg-type arg-type",
    "Piece(key, number, entry.gross, base)": "arg-type",
    "Worth(base, local)": "arg-type arg-type",
    "disposal.proceeds - disposal.cost_basis_base": "operator",
    "posting.amount + posting.amount_base": "operator",
    "posting.amount = entry.gross": "assignment",
    "move(held, base, base)": "arg-type",
    "move(held, number, base)": "arg-type",
    "move_cash(books, entry, entry.base(entry.gross))": "arg-type",
    "books.local(held, entry, held.cost_basis)": "arg-type",
    "books.worth(held, entry, base)": "arg-type",
    "books.converted(held, entry.date, base, held.currency)": "arg-type",
    "given.pieces[0].cost_basis + a_move.booked_base": "operator",
    "worth_of(number, quote.price, number, local_to_base)": "arg-type",
    "worth_of(number, local, number, entry.rate)": "arg-type",
    "valued.market_value - held.cost_basis_base": "operator",
    "valued.market_value_base - held.cost_basis": "operator",
    "valued.market_value * entry.rate": "operator",
    # the analytics
    "moved.worth - a_move.cost_basis": "operator",
    "of_day.value + held.cost_basis": "operator",
    "of_period.closing + number": "operator",
    "history.cash_base(held, entry.date) - held.balance": "operator",
}
"""A line, and the codes of its errors."""

ACCEPTED = [
    "assert_type(base + base - base, Amount[Base])",
    "assert_type(base + NIL, Amount[Base])",
    "assert_type(base if yes else NIL, Amount[Base])",
    "assert_type(UNKNOWN_AMOUNT if yes else base, Amount[Base])",
    "assert_type(-abs(base), Amount[Base])",
    "assert_type(base * number, Amount[Base])",
    "assert_type(number * base, Amount[Base])",
    "assert_type(2 * base, Amount[Base])",
    "assert_type(base / number, Amount[Base])",
    "assert_type(base / base, Decimal)",
    "assert_type(trade * to_base, Amount[Base])",
    "assert_type(rounded(trade * to_base), Amount[Base])",
    "assert_type(rounded(number), Decimal)",
    "assert_type(total([base, base]), Amount[Base])",
    "assert_type(max(base, NIL), Amount[Base])",
    "assert_type(spread(local, [lot, piece]), list[Amount[Local]])",
    "assert_type(number_of(base), Decimal)",
    "assert_type(amount_of(number, Trade), Amount[Trade])",
    "assert_type(rate_of(number, Trade, Base), ExchangeRate[Trade, Base])",
    "assert_type(same_money(trade, Local), Amount[Local])",
    "assert_type(same_rate(to_base, Local, Base), ExchangeRate[Local, Base])",
    "assert_type(plain(base), str)",
    "base < 0 or base >= base or base == base or not base or base.is_nan() or base.is_signed()",
    "figure(base), figure(local), figure(trade), figure(number), figure(to_base), figure(None)",
    # the engine and the analytics carry the types: none of these is Any
    "assert_type(entry.gross + entry.fee + entry.tax, Amount[Trade])",
    "assert_type(entry.target_amount, Amount[Bought])",
    "assert_type(entry.rate, ExchangeRate[Trade, Base])",
    "assert_type(entry.base(entry.gross), Amount[Base])",
    "assert_type(books.local(held, entry, entry.gross), Amount[Local])",
    "assert_type(books.local_rate(held, entry), ExchangeRate[Local, Base])",
    "assert_type(books.costs_in(entry), Amount[Trade])",
    "assert_type(books.worth(held, entry, entry.gross).local, Amount[Local])",
    "assert_type(held.cost_basis + held.realized_gain + held.income + held.balance, Amount[Local])",
    "assert_type(held.cost_basis_base + held.realized_gain_base + held.realized_fx_gain_base, Amount[Base])",
    "assert_type(held.income_base + held.fees_base + held.taxes_base + held.fees_in_cost_base, Amount[Base])",
    "assert_type(held.money_in_base + held.money_out_base + held.inflow_base + held.outflow_base, Amount[Base])",
    "assert_type(held.grown('income_base', None), Amount[Base])",
    "assert_type(held.trade_price, Amount[Quoted] | None)",
    "assert_type(lot.cost_basis + piece.cost_basis + posting.amount + posting.income, Amount[Local])",
    "assert_type(posting.amount_base + posting.income_base + posting.inflow_base, Amount[Base])",
    "assert_type(disposal.realized_gain, Amount[Local])",
    "assert_type(disposal.realized_gain_base - disposal.realized_fx_gain_base, Amount[Base])",
    "assert_type(a_move.cost_basis, Amount[Local])",
    "assert_type(quote.price, Amount[Quoted])",
    "assert_type(valued.market_value * valued.fx_rate, Amount[Base])",
    "assert_type(moved.worth - moved.carried_gain - moved.carried_fx_gain, Amount[Base])",
    "assert_type(history.cash_base(held, entry.date) + of_day.value, Amount[Base])",
    "assert_type(of_period.closing - of_period.residual, Amount[Base])",
]


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    """The codes of mypy's errors, by the line they are reported of."""
    folder = tmp_path_factory.mktemp("amounts")
    lines = [*PRELUDE.splitlines(), *REFUSED, *ACCEPTED]
    path = folder / "lines.py"
    path.write_text("\n".join(lines) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(ROOT))
        options = ["--strict", "--follow-imports=silent", "--hide-error-context", "--no-error-summary"]
        places = ["--config-file=", f"--cache-dir={folder / 'cache'}"]
        reported, failed, _ = api.run([*options, *places, str(path)])
    assert not failed, failed
    found = defaultdict(list)
    for number, code in re.findall(r"lines\.py:(\d+): error: .*\[([a-z-]+)\]$", reported, flags=re.MULTILINE):
        found[lines[int(number) - 1]].append(code)
    assert sum(map(len, found.values())) == reported.count(": error: "), reported
    return found


@pytest.mark.parametrize(("line", "codes"), REFUSED.items())
def test_what_mixes_moneys_is_refused(errors, line, codes):
    assert errors[line] == codes.split()


@pytest.mark.parametrize("line", ACCEPTED)
def test_what_stays_with_one_money_is_accepted_and_is_that_money(errors, line):
    assert errors[line] == []


def test_nothing_else_is_reported(errors):
    assert {line for line, codes in errors.items() if codes} == set(REFUSED)


def test_an_amount_is_a_decimal_at_run_time():
    number = D("1.10")
    through_doors: list[object] = [
        amount_of(number, Trade),
        same_money(amount_of(number, Trade), Local),
        number_of(amount_of(number, Base)),
        rate_of(number, Trade, Base),
        same_rate(rate_of(number, Trade, Base), Local, Base),
    ]
    assert all(found is number for found in through_doors)
    constants: list[object] = [NIL, UNKNOWN_AMOUNT, UNKNOWN_RATE, AT_PAR]
    assert {type(constant) for constant in constants} == {Decimal}
    types: list[object] = [Amount[Local], ExchangeRate[Local, Base], typing.get_type_hints(Lot)["cost_basis"]]
    assert types == [Decimal] * 3


def test_amounts_are_added_up_and_exchanged():
    with exact():
        # 1.10 + 2.20 = 3.30; at 1.2 that is 3.96.
        euros = total([amount_of(D("1.10"), Local), amount_of(D("2.20"), Local)])
        assert rounded(euros * rate_of(D("1.2"), Local, Base)) == D("3.96")
        assert total([amount_of(D(1), Local), UNKNOWN_AMOUNT]).is_nan()
    assert total(list[Amount[Local]]()) == 0
