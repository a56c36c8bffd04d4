"""Booking components of portfolios again from their beginning, and writing what differs from what is stored.

A component (see `components`) is booked from nothing by the fold that books everything, so it comes out as if the
portfolio had been booked anew. What it posts to cash replaces what it posted before; a currency of which some posting
is another is then made again from the earliest such day (see `cash_days`).
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

from positions.calculating.cash_days import CashName, replay_cash
from positions.calculating.components import Component
from positions.calculating.replacing import OF_SECURITIES, SECURITIES, Difference, replace
from positions.calculating.tables import CASH_MOVEMENTS, MOVES, POSITION_DAYS, POSITIONS, Row
from positions.calculating.writing import Outcome, book_component
from positions.engine.entry import Terms

_MOVEMENTS = "unnest(%s::text[], %s::text[], %s::date[], %s::text[]) AS asked(portfolio_id, currency, day, id)"
_OF_TRANSACTIONS = """
    t.portfolio_id = asked.portfolio_id AND t.currency = asked.currency AND t.movement_date = asked.day
        AND t.transaction_id = asked.id
"""


def replay(components: Sequence[Component], terms: Mapping[str, Terms]) -> list[Outcome]:
    """Book the components again and write what differs; what has changed of each portfolio, in the order given."""
    if not components:
        return []
    outcomes = {one.portfolio_id: book_component(terms[one.portfolio_id], one) for one in components}
    securities = [(one.portfolio_id, security_id) for one in components for security_id in sorted(one.securities)]
    asked = [[portfolio_id for portfolio_id, _ in securities], [security_id for _, security_id in securities]]
    changed = {
        table: replace(table, SECURITIES, condition, asked, _rows(outcomes, table))
        for table, condition in OF_SECURITIES.items()
    }
    movements = replace(
        "cash_movements", _MOVEMENTS, _OF_TRANSACTIONS, _movements(components), _rows(outcomes, "cash_movements")
    )
    from_dates = _from_dates(movements)
    base_currencies = {portfolio_id: of_portfolio.base_currency for portfolio_id, of_portfolio in terms.items()}
    of_cash = replay_cash(from_dates, base_currencies) if from_dates else (Difference([], []), Difference([], []))
    for difference, columns in (
        (changed["position_days"], POSITION_DAYS),
        (of_cash[1], POSITION_DAYS),
        (changed["moves"], MOVES),
    ):
        _note_days(difference, list(columns), outcomes)
    for difference in (changed["positions"], of_cash[0]):
        _note_interests(difference, outcomes)
    return list(outcomes.values())


def _rows(outcomes: Mapping[str, Outcome], table: str) -> list[Row]:
    return [row for outcome in outcomes.values() for row in outcome.rows[table]]


def _movements(components: Iterable[Component]) -> list[list[object]]:
    """Where what the transactions of the components have ever posted can stand, in columns."""
    places = {
        (entry.portfolio_id, currency, entry.transaction_date, entry.transaction_id)
        for one in components
        for entry in one.versions
        for currency in (entry.currency, entry.target_currency)
        if currency
    }
    return [list(column) for column in zip(*places, strict=True)]


def _from_dates(movements: Difference) -> dict[CashName, datetime.date]:
    columns = list(CASH_MOVEMENTS)
    currency, day = columns.index("currency"), columns.index("movement_date")
    from_dates: dict[CashName, datetime.date] = {}
    for row in movements.rows:
        name = CashName(row[0], row[currency])
        from_dates[name] = min(row[day], from_dates.get(name, row[day]))
    return from_dates


def _note_days(difference: Difference, columns: Sequence[str], outcomes: Mapping[str, Outcome]) -> None:
    """Note from when on a portfolio's days are other than they were."""
    day = columns.index("move_date" if "move_date" in columns else "position_date")
    for row in difference.rows:
        outcome = outcomes[row[0]]
        outcome.changed_from = min(row[day], outcome.changed_from or row[day])


def _note_interests(difference: Difference, outcomes: Mapping[str, Outcome]) -> None:
    """Note where something is held that was not, or since another day, or in another currency."""
    of_interest = [list(POSITIONS).index(name) for name in ("kind", "security_id", "currency", "first_date")]

    def interests(rows: Iterable[Row]) -> set[Row]:
        return {(row[0], *(row[index] for index in of_interest)) for row in rows}

    for portfolio_id, *_ in interests(difference.gone) ^ interests(difference.come):
        outcomes[portfolio_id].opens_holdings = True
