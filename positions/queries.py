"""Reading positions: everything from rows, within one snapshot, so that no answer mixes two calculations."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connection
from django.db import transaction as db_transaction

from portfolio.models import Portfolio, PortfolioChange
from portfolio.money import ONE
from positions.calculating.late_data import concerned_by_market
from positions.calculating.market import market
from positions.calculating.stored_holdings import holding_of
from positions.calculating.tables import FIGURES
from positions.engine.entry import InstrumentTerms
from positions.engine.holdings import Holding, Kind
from positions.engine.valuation import MarketPrice
from positions.figures import Snapshot, provisional_ones
from positions.models import PortfolioState
from positions.standing import told_state
from transactions.queries import first_recorded_after


@dataclass(frozen=True, slots=True)
class Pending:
    """Calculations are still on the way, since a moment; `error` says why the last one failed, if it did."""

    since: datetime.datetime
    error: str


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Within, all reads see the database as it stood at the first of them."""
    with db_transaction.atomic():
        if len(connection.atomic_blocks) == 1:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        yield


def state_of(*, portfolio_id: str) -> PortfolioState:
    """How far the portfolio is calculated, and under which settings; an empty state where nothing ever was."""
    state = PortfolioState.objects.filter(portfolio_id=portfolio_id).first()
    if state is not None and state.computed_seq:
        return state
    return told_state(portfolio_id, state, Portfolio.objects.filter(portfolio_id=portfolio_id).first())


def pending_of(*, state: PortfolioState, mark: PortfolioChange, market_seq: int | None = None) -> Pending | None:
    """What of the portfolio is recorded and not yet calculated; none where its rows are up to date.

    The market's memory has been refreshed afterwards; `market_seq` is what the snapshot sees, where that is known.
    """
    concerned = concerned_by_market({state.portfolio_id: state}, market_seq=market_seq)
    if mark.change_seq > state.computed_seq or any(concerned):
        return Pending(mark.recorded_at, state.error)
    return None


def known_by_the_rows(*, state: PortfolioState, mark: PortfolioChange, settled: datetime.datetime) -> datetime.datetime:
    """The moment as known at which the stored rows stand: a settled one, moved to just before what they are owed."""
    if mark.change_seq > state.computed_seq:
        owed = first_recorded_after(portfolio_id=state.portfolio_id, change_seq=state.computed_seq)
        return settled if owed is None else min(settled, owed - datetime.timedelta(microseconds=1))
    # What was recorded since the moment was settled is in the rows, and nothing of this ledger is recorded before it
    # any more. A price or a rate may be, where its writer was in flight: the moment is that of the portfolio's ledger.
    return max(settled, mark.recorded_at)


def snapshot_of(*, state: PortfolioState, as_of: datetime.date, market_seq: int | None = None) -> Snapshot:
    """The portfolio at the end of a day: what the rows say was held, and what was quoted then. `market_seq` as in
    `market.refresh`.
    """
    market.refresh(market_seq)
    holdings: list[Holding] = []
    quotes: dict[str, MarketPrice] = {}
    instruments: dict[str, InstrumentTerms] = {}
    for row in _rows(state, as_of):
        held = holding_of(row[:-_MARKET_COLUMNS])
        security_id, (told, *terms) = held.key.security_id, row[-8:-4]
        price, currency, price_date, split_ratio = row[-4:]
        holdings.append(held)
        if told is not None:
            instruments[security_id] = InstrumentTerms(*terms)
        if price is not None:
            quotes[security_id] = MarketPrice(price, currency, price_date, split_ratio or ONE)
    securities = [held.key.security_id for held in holdings if held.key.kind is Kind.SECURITY]
    # Not the settings of today: what was submitted since is pending, and the rows are in the currency of before.
    return Snapshot(
        base_currency=state.base_currency,
        as_of=as_of,
        cash_tracked=state.cash_tracked,
        holdings=holdings,
        market_prices=quotes,
        instruments=instruments,
        rates=market.rates,
        quotes_before=partial(_market_price, state.portfolio_id),
        provisional=provisional_ones(securities, instruments, portfolio_unknown=state.provisional),
        provisional_portfolio=state.provisional,
    )


_HELD = ", ".join(("h.kind", "h.security_id", *(f"h.{name}" for name in FIGURES), "h.flags"))
_NOW = f"SELECT {_HELD}, h.first_date, %(last_date)s::date AS since FROM positions AS h WHERE portfolio_id = %(id)s"  # noqa: S608 - the columns are the table's own
# A split of what was not held leaves a row of a day before anything was booked into the holding.
_THEN = f"""
    SELECT {_HELD}, CASE WHEN p.first_date <= %(as_of)s THEN p.first_date END AS first_date, h.position_date AS since
    FROM positions AS p
    CROSS JOIN LATERAL (
        SELECT * FROM position_days AS d
        WHERE d.portfolio_id = p.portfolio_id AND d.kind = p.kind AND d.security_id = p.security_id
          AND d.position_date <= %(as_of)s
        ORDER BY d.position_date DESC LIMIT 1
    ) AS h
    WHERE p.portfolio_id = %(id)s
"""  # noqa: S608 - as above
_LAST_QUOTE = """
    SELECT p.price, p.currency, p.price_date FROM market_prices AS p
    WHERE p.security_id = {security_id} AND p.price_date <= %(as_of)s AND p.superseded_at IS NULL
    ORDER BY p.price_date DESC LIMIT 1
"""
_SPLITS_BY_THEN = """
    (SELECT d.split_ratio FROM position_days AS d
     WHERE d.portfolio_id = %(id)s AND d.kind = 'SECURITY' AND d.security_id = {security_id}
       AND d.position_date <= quote.price_date
     ORDER BY d.position_date DESC LIMIT 1)
"""
_MARKET_COLUMNS = 8


def _rows(state: PortfolioState, as_of: datetime.date) -> list[tuple[Any, ...]]:
    """The holdings at the end of the day: as they are now, or on a day before the last entry as they were then.

    Beside each its instrument's terms (after its id, which is none where it is not known), and its last quote on or
    before the day, with the splits booked up to the end of the quote's own day.
    """
    held = _NOW if state.last_date is None or as_of >= state.last_date else _THEN
    with connection.cursor() as cursor:
        cursor.execute(
            # A holding that has not changed since the quote's day has had no split since.
            f"""
            SELECT {_HELD}, h.first_date, i.security_id, i.currency, i.price_factor, i.exchange, quote.*,
                   CASE WHEN h.since <= quote.price_date THEN h.split_ratio
                        ELSE {_SPLITS_BY_THEN.format(security_id="h.security_id")} END
            FROM ({held}) AS h
            LEFT JOIN instruments AS i ON h.kind = 'SECURITY' AND i.security_id = h.security_id
            LEFT JOIN LATERAL ({_LAST_QUOTE.format(security_id="h.security_id")}) AS quote ON h.kind = 'SECURITY'
            """,  # noqa: S608 - texts of this module's own
            {"id": state.portfolio_id, "as_of": as_of, "last_date": state.last_date},
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return rows


def _market_price(portfolio_id: str, security_id: str, day: datetime.date) -> MarketPrice | None:
    """The last price of a security on or before the day, with the splits booked up to the end of its own day."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT quote.*, {_SPLITS_BY_THEN.format(security_id="%(security_id)s")}
            FROM ({_LAST_QUOTE.format(security_id="%(security_id)s")}) AS quote
            """,  # noqa: S608 - as above
            {"id": portfolio_id, "security_id": security_id, "as_of": day},
        )
        found = cursor.fetchone()
    if found is None:
        return None
    price, currency, price_date, split_ratio = found
    return MarketPrice(price, currency, price_date, split_ratio or ONE)
