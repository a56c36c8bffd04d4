"""From the fold to the tables: what booking has changed, as rows, written with one statement a table."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field

from positions.calculating.components import Component
from positions.calculating.links import Offer, given_rows, last_place, link_rows
from positions.calculating.rows import disposal_row, exception_row, holding_row, lot_row, move_row, movement_row
from positions.calculating.storage import copy_rows, delete_keys, delete_portfolios
from positions.calculating.tables import LOT_KEY_COLUMNS, TABLES, Row
from positions.engine.booking import Books, book
from positions.engine.entry import EntryKey, Terms, enrich
from positions.engine.holdings import Holding, HoldingKey, Kind
from transactions.entries import LedgerEntry

_HOLDING_KEY = ("portfolio_id", "kind", "security_id")
_DAY_KEY = (*_HOLDING_KEY, "position_date")
_LOT_KEY = ("portfolio_id", "security_id", *LOT_KEY_COLUMNS)


@dataclass(slots=True)
class Outcome:
    """What booking one portfolio has changed. `anew`: its stored rows are replaced as a whole."""

    portfolio_id: str
    anew: bool
    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})
    gone: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})
    opens_holdings: bool = False
    last_place: EntryKey | None = None
    """Where the last entry booked stands; none where none was."""
    changed_from: datetime.date | None = None
    """The first day whose rows differ from those stored, or may differ; none where no day's do."""


def book_portfolio(
    terms: Terms,
    entries: Sequence[LedgerEntry],
    holdings: dict[HoldingKey, Holding],
    offer: Offer,
    *,
    anew: bool,
    last_date: datetime.date | None,
) -> Outcome:
    """Book entries (in booking order) onto the holdings as stored, or onto none when the portfolio is booked anew.

    `last_date` is the day of the last entry booked before: the rows of that day are written again.
    `offer` is what other transfers gave that the entries' linked ones name.
    """
    stored = set(holdings)
    opened_before = {key for key, held in holdings.items() if held.first_date}
    outcome = Outcome(terms.portfolio_id, anew)
    touched: set[HoldingKey] = set()

    def end_of_day(day: datetime.date, of_day: set[HoldingKey]) -> None:
        touched.update(of_day)
        outcome.changed_from = outcome.changed_from or day
        for key in of_day:
            outcome.rows["position_days"].append(holding_row(terms.portfolio_id, books.holdings[key], day))
            if day == last_date:
                outcome.gone["position_days"].append((terms.portfolio_id, key.kind.value, key.security_id, day))

    books = Books(terms, holdings, given=offer.given, claims=offer.claims)
    book((enrich(entry, terms) for entry in entries), books, end_of_day)
    for key in touched:
        _collect_holding(outcome, books.holdings[key], stored=key in stored)
    outcome.opens_holdings = anew or any(books.holdings[key].first_date for key in touched - opened_before)
    _collect_events(outcome, books, entries)
    outcome.last_place = last_place(books, entries) if entries else None
    return outcome


def book_component(terms: Terms, component: Component) -> Outcome:
    """Book a component from its beginning: its rows, the cash's own positions and days left out."""
    outcome = Outcome(terms.portfolio_id, anew=False)

    def end_of_day(day: datetime.date, of_day: set[HoldingKey]) -> None:
        outcome.rows["position_days"] += [
            holding_row(terms.portfolio_id, books.holdings[key], day) for key in of_day if key.kind is Kind.SECURITY
        ]

    books = Books(terms)
    book((enrich(entry, terms) for entry in component.entries), books, end_of_day)
    for held in books.holdings.values():
        if held.key.kind is Kind.SECURITY:
            _collect_holding(outcome, held, stored=False)
    _collect_events(outcome, books, component.entries)
    return outcome


def _collect_events(outcome: Outcome, books: Books, entries: Sequence[LedgerEntry]) -> None:
    """Put into the outcome what booking the entries has brought forth beside holdings and days."""
    portfolio_id, rows = outcome.portfolio_id, outcome.rows
    rows["cash_movements"] = [
        movement_row(portfolio_id, posting, books.places.get(posting.entry.transaction_id))
        for posting in books.postings
    ]
    rows["disposals"] = [disposal_row(portfolio_id, disposal) for disposal in books.disposals]
    rows["booking_exceptions"] = [exception_row(portfolio_id, problem) for problem in books.problems]
    rows["given_lots"] = given_rows(books, entries)
    rows["transfer_links"] = link_rows(books, entries)
    rows["moves"] = [move_row(portfolio_id, move) for move in books.moves]


def _collect_holding(outcome: Outcome, held: Holding, *, stored: bool) -> None:
    portfolio_id, (kind, security_id) = outcome.portfolio_id, held.key
    outcome.rows["positions"].append(holding_row(portfolio_id, held, held.first_date))
    if stored:
        outcome.gone["positions"].append((portfolio_id, kind.value, security_id))
    if kind is Kind.CASH:
        return
    changed = [lot for lot in held.lots if lot.key in held.taken_from]
    outcome.rows["lots"] += [lot_row(portfolio_id, security_id, lot) for lot in (*changed, *held.opened)]
    if stored:
        outcome.gone["lots"] += [(portfolio_id, security_id, *key) for key in held.taken_from]


def write(outcomes: Sequence[Outcome]) -> None:
    """Write what the portfolios' bookings have changed: delete what is replaced, then one COPY a table."""
    stood_from = delete_portfolios([outcome.portfolio_id for outcome in outcomes if outcome.anew])
    for outcome in outcomes:
        days = (outcome.changed_from, stood_from.get(outcome.portfolio_id))
        outcome.changed_from = min((day for day in days if day), default=None)
    going_on = [outcome for outcome in outcomes if not outcome.anew]
    for table, key_columns in (("positions", _HOLDING_KEY), ("position_days", _DAY_KEY), ("lots", _LOT_KEY)):
        delete_keys(table, key_columns, [key for outcome in going_on for key in outcome.gone[table]])
    for table in TABLES:
        copy_rows(table, [row for outcome in outcomes for row in outcome.rows[table]])
