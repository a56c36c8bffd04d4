"""Reading positions: everything from rows, within one snapshot, so that no answer mixes two calculations."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from django.db import connection
from django.db import transaction as db_transaction

from portfolio.models import CostBasisMethod, Portfolio, PortfolioChange
from portfolio.money import ONE
from positions.calculating.late_data import concerned_by_market
from positions.calculating.market import instrument_terms, market
from positions.calculating.stored_holdings import holding_of
from positions.calculating.tables import FIGURES
from positions.engine.lots import Holding, Kind
from positions.engine.valuation import MarketPrice
from positions.figures import Snapshot, provisional_ones
from positions.models import BookingException, PortfolioState
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
    if state is None or not state.computed_seq:
        state = state or PortfolioState(portfolio_id=portfolio_id)
        settings = Portfolio.objects.filter(portfolio_id=portfolio_id).first()
        state.base_currency = settings.base_currency if settings else ""
        state.cost_basis_method = settings.cost_basis_method if settings else CostBasisMethod.FIFO
        state.provisional = settings is None
    return state


def pending_of(*, state: PortfolioState, mark: PortfolioChange) -> Pending | None:
    """What of the portfolio is recorded and not yet calculated; none where its rows are up to date."""
    if mark.change_seq > state.computed_seq or any(concerned_by_market({state.portfolio_id: state})):
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


def snapshot_of(*, state: PortfolioState, as_of: datetime.date) -> Snapshot:
    """The portfolio at the end of a day: what the rows say was held, and what was quoted then."""
    holdings = _holdings(state, as_of)
    market.refresh()
    securities = [held.key.security_id for held in holdings if held.key.kind is Kind.SECURITY]
    instruments = instrument_terms(securities)
    # Not the settings of today: what was submitted since is pending, and the rows are in the currency of before.
    return Snapshot(
        base_currency=state.base_currency,
        as_of=as_of,
        cash_tracked=state.cash_tracked,
        holdings=holdings,
        market_prices=_market_prices(state.portfolio_id, securities, as_of),
        instruments=instruments,
        rates=market.rates,
        quotes_before=partial(_market_price, state.portfolio_id),
        provisional=provisional_ones(securities, instruments, portfolio_unknown=state.provisional),
        provisional_portfolio=state.provisional,
    )


def exceptions_of(*, portfolio_id: str, until: datetime.date) -> Sequence[BookingException]:
    """The open exceptions of transactions up to a day."""
    rows = BookingException.objects.filter(portfolio_id=portfolio_id, transaction_date__lte=until)
    return list(rows.order_by("transaction_date", "transaction_id"))


def _holdings(state: PortfolioState, as_of: datetime.date) -> list[Holding]:
    """The holdings at the end of the day: as they are now, or on a day before the last entry as they were then."""
    columns = ", ".join(f"h.{name}" for name in FIGURES)
    now = f"SELECT h.kind, h.security_id, {columns}, h.flags, h.first_date FROM positions AS h WHERE portfolio_id = %s"  # noqa: S608 - the columns are the table's own
    then = f"""
        SELECT h.kind, h.security_id, {columns}, h.flags, CASE WHEN p.first_date <= %s THEN p.first_date END
        FROM positions AS p
        CROSS JOIN LATERAL (
            SELECT * FROM position_days AS d
            WHERE d.portfolio_id = p.portfolio_id AND d.kind = p.kind AND d.security_id = p.security_id
              AND d.position_date <= %s
            ORDER BY d.position_date DESC LIMIT 1
        ) AS h
        WHERE p.portfolio_id = %s
    """  # noqa: S608 - as above
    with connection.cursor() as cursor:
        if state.last_date is None or as_of >= state.last_date:
            cursor.execute(now, [state.portfolio_id])
        else:
            # A split of what was not held leaves a row of a day before anything was booked into the holding.
            cursor.execute(then, [as_of, as_of, state.portfolio_id])
        return [holding_of(row) for row in cursor.fetchall()]


def _market_price(portfolio_id: str, security_id: str, day: datetime.date) -> MarketPrice | None:
    return _market_prices(portfolio_id, [security_id], day).get(security_id)


def _market_prices(portfolio_id: str, security_ids: Sequence[str], as_of: datetime.date) -> dict[str, MarketPrice]:
    """The last price of each security on or before the day, with the splits booked up to the end of its own day."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT asked.security_id, quote.price, quote.currency, quote.price_date,
                   (SELECT d.split_ratio FROM position_days AS d
                    WHERE d.portfolio_id = %s AND d.kind = 'SECURITY'
                      AND d.security_id = asked.security_id AND d.position_date <= quote.price_date
                    ORDER BY d.position_date DESC LIMIT 1)
            FROM unnest(%s::text[]) AS asked(security_id)
            CROSS JOIN LATERAL (
                SELECT p.price, p.currency, p.price_date FROM market_prices AS p
                WHERE p.security_id = asked.security_id AND p.price_date <= %s AND p.superseded_at IS NULL
                ORDER BY p.price_date DESC LIMIT 1
            ) AS quote
            """,
            [portfolio_id, list(security_ids), as_of],
        )
        return {
            security_id: MarketPrice(price, currency, price_date, split_ratio or ONE)
            for security_id, price, currency, price_date, split_ratio in cursor.fetchall()
        }
