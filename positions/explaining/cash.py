"""Explaining the cash of a currency from the stored movements: what each transaction posted to it, in booking order.

Every entry of a portfolio may move cash, so booking it anew would be booking everything; its movements are rows, and
the pool is folded again from two numbers of each. Only those of the last days are read: the pool as it stood before
them is a row too, and is what all that came before comes to.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection

from portfolio.amounts import Base, Local, amount_of, number_of
from portfolio.money import UNKNOWN
from portfolio.problems import Unknown
from positions.calculating.cash_days import IN_BOOKING_ORDER
from positions.calculating.market import market
from positions.checking.exceptions import EXCEPTIONS_MAX, exceptions_listed, exceptions_of_currency, stored_exceptions
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.postings import move
from positions.explaining import listing
from positions.explaining.answers import added_up, holding_answer, revaluation_line
from positions.explaining.explanation import MEASURES, Contribution, contribution
from positions.explaining.facts import facts_of
from positions.explaining.listing import Explained, LeftOut, Line
from positions.explaining.market import rate_answer
from positions.figures import Snapshot, balance_base_in
from positions.models import Position, PositionDay
from positions.variants.asked import Reading


class Row(NamedTuple):
    """A movement: of which transaction, its day, what it adds in the currency and in base."""

    transaction_id: str
    day: datetime.date
    amount: Decimal
    amount_base: Decimal


_STATE = (
    "quantity",
    "cost_basis",
    "cost_basis_base",
    "unrated_lots",
    "income",
    "income_base",
    "fees_base",
    "taxes_base",
    "rated_sums",
)
"""What the cash on a day says of the figures that are explained."""
_COLUMNS = {
    "cash": ("amount", "amount_base"),
    "income": ("income", "income_base"),
    "fees": ("fees_base", "fees_base"),
    "taxes": ("taxes_base", "taxes_base"),
}


def stored_cash_answer(found: Reading, figure: str, key: HoldingKey) -> dict[str, Any]:
    """The explanation of a figure of the cash of a currency, as it is stored. Raises Unknown.

    Needs the arithmetic of `portfolio.money.exact`.
    """
    state, day, currency = found.state, found.as_of, key.security_id
    begun = Position.objects.filter(
        portfolio_id=state.portfolio_id, kind=Kind.CASH, security_id=currency, first_date__lte=day
    )
    if not begun.exists():
        raise Unknown(f"No transaction of the portfolio {state.portfolio_id} up to {day} has to do with {currency!r}.")
    asked = _Asked(state.portfolio_id, currency, figure, day)
    held, before, rows = _last_movements(asked, key)
    parts = list(_parts(figure, held, rows))
    market.refresh()
    facts = _facts_of(found, [transaction_id for transaction_id, _, _ in parts[-listing.PARTS_MAX :]])
    lines = [_line(*part, facts) for part in parts]
    rate = rate_answer(market.rates, currency, state.base_currency, day)
    explained = Explained(*added_up(figure, held), lines, before=before, goes_on=True)
    if figure == "cash":
        balance_base = number_of(balance_base_in(held, _snapshot(found, held)))
        explained = cash_explained(held, lines, balance_base, rate, day, before=before)
    problems = exceptions_of_currency(state=state, currency=currency, until=day, count=EXCEPTIONS_MAX + 1)
    return {
        **holding_answer(figure, held, state.base_currency, explained),
        "price": None,
        "rate": rate if figure == "cash" else None,
        **exceptions_listed(stored_exceptions(problems)),
        "provisional": state.provisional,
    }


def cash_explained(
    held: Holding,
    lines: Sequence[Line],
    balance_base: Decimal,
    rate: dict[str, Any],
    day: datetime.date,
    *,
    before: LeftOut | None = None,
) -> Explained:
    """A balance: what each entry moved, at its average cost in base; and what the rate of the day makes of that."""
    known_gain = balance_base - number_of(held.cost_basis_base)
    gain = UNKNOWN if held.unrated_lots else known_gain
    revaluation = [revaluation_line(gain, known_gain, rate, day)] if gain else []
    return Explained(held.quantity, balance_base, [*lines, *revaluation], before=before, goes_on=True)


def _parts(figure: str, held: Holding, rows: Sequence[Row]) -> Iterator[tuple[str, datetime.date, Contribution]]:
    """What each transaction contributed, while its movements are taken into the holding."""
    measure = MEASURES[figure]
    level = measure(held)
    for (transaction_id, day), steps in groupby(rows, key=itemgetter(0, 1)):
        for _, _, amount, amount_base in steps:
            _take_in(figure, held, amount, amount_base)
        before, level = level, measure(held)
        contributed = contribution(before, level)
        if contributed:
            yield transaction_id, day, contributed


def _take_in(figure: str, held: Holding, amount: Decimal, amount_base: Decimal) -> None:
    if figure == "cash":
        move(held, amount_of(amount, Local), amount_of(amount_base, Base))
        return
    if figure == "income":
        held.income += amount_of(amount, Local)
    held.add_up(**{f"{figure}_base": amount_of(amount_base, Base)})


def _line(
    transaction_id: str, day: datetime.date, contributed: Contribution, facts: Callable[[], dict[str, dict[str, Any]]]
) -> Line:
    def told() -> dict[str, Any]:
        named = {"transaction_id": transaction_id, "date": day}
        return {"kind": "TRANSACTION", **named, **facts().get(transaction_id, {})}

    return Line(contributed, day, told)


def _facts_of(found: Reading, transaction_ids: Sequence[str]) -> Callable[[], dict[str, dict[str, Any]]]:
    """How the facts of some transactions, by id, are found: all at once, when the first are asked for."""
    return cache(lambda: facts_of(found, transaction_ids))


def _snapshot(found: Reading, held: Holding) -> Snapshot:
    return Snapshot(
        base_currency=found.state.base_currency,
        as_of=found.as_of,
        cash_tracked=found.state.cash_tracked,
        holdings=[held],
        market_prices={},
        instruments={},
        rates=market.rates,
        quotes_before=lambda *_: None,
    )


# --- reading ------------------------------------------------------------------------------------------------------


class _Asked(NamedTuple):
    """Which movements: those that have to do with a figure of the cash of a currency, up to a day."""

    portfolio_id: str
    currency: str
    figure: str
    until: datetime.date

    @property
    def condition(self) -> str:
        """In SQL, of movements `m`, with `parameters`; an empty sum is nothing."""
        amount, amount_base = _COLUMNS[self.figure]
        return f"""
            m.portfolio_id = %s AND m.currency = %s AND m.movement_date <= %s
            AND (m.{amount} IS NOT NULL OR m.{amount_base} IS NOT NULL)
        """

    @property
    def parameters(self) -> list[Any]:
        """See `condition`."""
        return [self.portfolio_id, self.currency, self.until]


def _last_movements(asked: _Asked, key: HoldingKey) -> tuple[Holding, LeftOut | None, list[Row]]:
    """The movements of the last days, in booking order, about as many as are listed; what was before them, and the cash
    as it stood then.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.movement_date FROM cash_movements AS m WHERE {asked.condition}
            ORDER BY m.movement_date DESC OFFSET %s LIMIT 1
            """,  # noqa: S608 - the columns are this module's own
            [*asked.parameters, listing.PARTS_MAX],
        )
        beyond = cursor.fetchone()
    first_date = beyond[0] if beyond else datetime.date.min
    held, before = Holding(key, asked.currency), None
    if beyond:
        held, before = _before(asked, key, first_date)
    return held, before, _movements(asked, first_date)


def _before(asked: _Asked, key: HoldingKey, day: datetime.date) -> tuple[Holding, LeftOut | None]:
    """The cash before a day, from the last of its days before it; and what had been moved by then."""
    rows = PositionDay.objects.filter(portfolio_id=asked.portfolio_id, kind=Kind.CASH, security_id=asked.currency)
    stood = rows.filter(position_date__lt=day).order_by("-position_date").values(*_STATE).first()
    if stood is None:
        return Holding(key, asked.currency), None
    held = Holding(key, asked.currency, **stood)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT count(DISTINCT m.transaction_id), min(m.movement_date), max(m.movement_date)
            FROM cash_movements AS m WHERE {asked.condition} AND m.movement_date < %s
            """,  # noqa: S608 - as above
            [*asked.parameters, day],
        )
        count, first_date, last_date = cursor.fetchone()
    measure = MEASURES[asked.figure]
    contributed = contribution(measure(Holding(key, asked.currency)), measure(held))
    return held, LeftOut(count, contributed or listing.NOTHING, first_date, last_date) if count else None


def _movements(asked: _Asked, first_date: datetime.date) -> list[Row]:
    """What was posted to the cash from a day on, in booking order."""
    amount, amount_base = _COLUMNS[asked.figure]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT m.transaction_id, m.movement_date, COALESCE(m.{amount}, 0), COALESCE(m.{amount_base}, 0)
            FROM cash_movements AS m
            WHERE {asked.condition} AND m.movement_date >= %s
            ORDER BY {IN_BOOKING_ORDER}
            """,  # noqa: S608 - as above
            [*asked.parameters, first_date],
        )
        return [Row(*row) for row in cursor.fetchall()]
