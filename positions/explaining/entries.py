"""Explaining a figure of a holding: entries are booked again, as they count or counted at a moment, and watched.

Of a security only the entries that hang together with it are booked; where these are many its rows tell the same day
by day (see `securities`). Cash takes in what every entry of the portfolio moves: it is explained from its stored
movements (see `cash`). What the rows do not say is booked, however many entries it takes: another method, an earlier
moment of knowledge, the lots of an earlier day.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from portfolio.amounts import number_of
from portfolio.dates import current_day
from portfolio.knowledge import settled_moment
from portfolio.money import OutOfRange, exact
from portfolio.problems import InvalidContent, Unknown
from portfolio.queries import AnyUser
from positions.checking.exceptions import exceptions_listed
from positions.engine.booking import Books
from positions.engine.entry import Entry
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.explaining.answers import added_up, entry_lines, holding_answer, lot_lines
from positions.explaining.cash import cash_explained, stored_cash_answer
from positions.explaining.explanation import MEASURES, Watch, disposal_parts, lot_parts
from positions.explaining.ledger_parts import entries_of_component, entries_of_portfolio
from positions.explaining.listing import Explained
from positions.explaining.market import price_answer, rate_answer
from positions.explaining.securities import has_more_entries, rows_say, stored_security_answer
from positions.figures import balance_base_in, exception_answer, valuation_in
from positions.queries import known_by_the_rows, one_snapshot, pending_of
from positions.standing import visible_standing
from positions.variants.apart import apart
from positions.variants.asked import Reading
from positions.variants.booked import Asked, Variant, book_entries
from positions.variants.chains import ChainTooLong

BOOKED_BESIDE_MAX = 2_000
"""Up to so many entries are booked where they are asked for; more are booked apart, few at a time."""

ENTRIES_TOLD_MAX = 5_000
"""A security with more entries than these is explained from its rows."""

OF_SECURITIES = ("quantity", "cost_basis", "realized_gain", "unrealized_gain", "market_value")
OF_CASH = ("cash",)
OF_BOTH = ("income", "fees", "taxes")
FIGURES = (*OF_SECURITIES, *OF_CASH, *OF_BOTH)


class _Seen:
    """The watch, and the entries in the order booked, of a booking that is to be explained."""

    def __init__(self, key: HoldingKey, figure: str) -> None:
        self.key, self.figure = key, figure
        self.entries: list[Entry] = []
        self.watch: Watch | None = None

    def of(self, books: Books) -> Callable[[Entry], None]:
        """What is called before each entry is booked."""
        measure = MEASURES.get(self.figure)
        self.watch = Watch(books, self.key, measure) if measure else None

        def before_entry(entry: Entry) -> None:
            self.entries.append(entry)
            if self.watch:
                self.watch.before_entry(entry)

        return before_entry


@dataclass(frozen=True, slots=True)
class Question:
    """A figure of one holding, or (without a key) of the whole portfolio."""

    portfolio_id: str
    figure: str
    key: HoldingKey | None
    as_of: datetime.date | None = None
    known_at: datetime.datetime | None = None
    cost_method: str | None = None


def explain_holding(user: AnyUser, question: Question) -> dict[str, Any]:
    """The explanation of a figure of one holding. Raises Unknown, TooMany, InvalidContent."""
    key = question.key
    assert key, "a holding is asked for"
    # Before the snapshot is taken, not after: see portfolio.knowledge.
    settled = settled_moment(question.known_at)
    day = question.as_of or current_day()
    with one_snapshot():
        standing = visible_standing(user, question.portfolio_id)
        mark, state = standing.mark, standing.state
        pending = pending_of(state=state, mark=mark, market_seq=standing.market_seq)
        own_method = question.cost_method in (None, state.cost_basis_method)
        if question.known_at is None and own_method and state.computed_seq:
            known_at = known_by_the_rows(state=state, mark=mark, settled=settled)
            found = Reading(standing, day, known_at, state.cost_basis_method, pending, None)
            from_rows = _from_rows(found, question.figure, key)
            if from_rows:
                with exact():
                    return {**found.head(), **from_rows(found, question.figure, key)}
        asked = Asked(question.portfolio_id, day, question.cost_method, settled if question.known_at else None)
        seen = _Seen(key, question.figure)
        variant = _booked(asked, seen)
        known_at = settled if question.known_at else max(settled, mark.recorded_at)
        found = Reading(standing, day, known_at, variant.terms.cost_basis_method, pending, variant)
        with exact():
            return {**found.head(), **_holding_answer(question.figure, key, variant, seen)}


def _from_rows(found: Reading, figure: str, key: HoldingKey) -> Callable[[Reading, str, HoldingKey], Any] | None:
    """What explains the figure from stored rows, if it is not booked."""
    if key.kind is Kind.CASH:
        return stored_cash_answer
    many = rows_say(found, figure) and has_more_entries(
        portfolio_id=found.state.portfolio_id, security_id=key.security_id, than=ENTRIES_TOLD_MAX
    )
    return stored_security_answer if many else None


def _booked(asked: Asked, seen: _Seen) -> Variant:
    portfolio_id, until, known_at = asked.portfolio_id, asked.as_of, asked.known_at
    name = seen.key.security_id
    if seen.key.kind is Kind.SECURITY:
        entries = entries_of_component(portfolio_id=portfolio_id, security_id=name, until=until, known_at=known_at)
        named = any(name in (entry.security_id, entry.target_security_id) for entry in entries)
    else:
        entries = entries_of_portfolio(portfolio_id=portfolio_id, until=until, known_at=known_at)
        named = any(name in (entry.currency, entry.target_currency) for entry in entries)
    if not named:
        raise Unknown(f"No transaction of the portfolio {portfolio_id} up to {until} has to do with {name!r}.")
    try:
        with apart() if len(entries) > BOOKED_BESIDE_MAX else nullcontext():
            return book_entries(asked, entries, watch=seen.of)
    except ChainTooLong as error:
        raise InvalidContent(str(error), code="chain_too_long") from error
    except OutOfRange as error:
        raise InvalidContent(f"The portfolio cannot be booked so: {error}.", code="out_of_range") from error


def _holding_answer(figure: str, key: HoldingKey, variant: Variant, seen: _Seen) -> dict[str, Any]:
    base_currency, snapshot = variant.terms.base_currency, variant.snapshot
    held = variant.books.holdings.get(key) or Holding(key, base_currency)
    explained, price, rate = _explained(figure, held, variant, seen)
    problems = [
        exception_answer(problem)
        for problem in variant.books.problems
        if key.security_id in _named(problem.entry, of_security=key.kind is Kind.SECURITY)
    ]
    return {
        **holding_answer(figure, held, base_currency, explained),
        "price": price,
        "rate": rate,
        **exceptions_listed(problems),
        "provisional": key.security_id in snapshot.provisional or snapshot.provisional_portfolio,
    }


def _named(entry: Entry, *, of_security: bool) -> tuple[str | None, str]:
    if of_security:
        return entry.security_id, entry.target_security_id
    return entry.currency, entry.target_currency


def _explained(
    figure: str, held: Holding, variant: Variant, seen: _Seen
) -> tuple[Explained, dict[str, Any] | None, dict[str, Any] | None]:
    """The figure with its parts, and the price and rate it was valued at, if it was."""
    terms, snapshot, day = variant.terms, variant.snapshot, variant.snapshot.as_of
    name = held.key.security_id
    if figure in ("unrealized_gain", "market_value"):
        gain = figure == "unrealized_gain"
        valuation = valuation_in(held, snapshot)
        lines = lot_lines(lot_parts(held, valuation, gain=gain), name, valuation.missing)
        value = valuation.unrealized_gain if gain else valuation.market_value
        value_base = valuation.unrealized_gain_base if gain else valuation.market_value_base
        left_out = {problem.entry.transaction_id for problem in variant.books.problems if problem.code == "OVERSOLD"}
        booked = [entry for entry in seen.entries if entry.transaction_id not in left_out]
        price = price_answer(held, snapshot, valuation, booked)
        rate = rate_answer(snapshot.rates, held.currency, terms.base_currency, day)
        return Explained(number_of(value), number_of(value_base), lines, valuation.missing), price, rate
    if figure == "realized_gain":
        lines = entry_lines(disposal_parts(variant.books.disposals, name), terms, held.currency)
        realized = number_of(held.realized_gain), number_of(held.realized_gain_base)
        return Explained(*realized, lines, goes_on=True), None, None
    assert seen.watch, "every other figure is watched"
    lines = entry_lines(seen.watch.parts(), terms, held.currency)
    if figure == "cash":
        rate = rate_answer(snapshot.rates, held.currency, terms.base_currency, day)
        balance_base = number_of(balance_base_in(held, snapshot))
        return cash_explained(held, lines, balance_base, rate, day), None, rate
    return Explained(*added_up(figure, held), lines, goes_on=True), None, None
