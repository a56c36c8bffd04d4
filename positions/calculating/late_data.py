"""What attributes and rates that arrived late concern among what is booked already, and nothing else.

A quote counts from its day until the pair's next one. Of the entries of those days it concerns the ones that are booked
at a market rate which now rests on it: rates are only added or replaced, so what rests on none that is new is booked as
it was. Attributes of an instrument concern its holding.

Costs told at the rate of a lot's acquisition may need a rate of any day before: portfolios that have such are booked
anew as a whole for every quote of their currencies.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from itertools import permutations
from operator import attrgetter

from django.db import connection

from portfolio.dates import ONE_DAY
from positions.calculating.components import Concerned
from positions.calculating.links import is_linked
from positions.calculating.market import market
from positions.engine.holdings import HoldingKey, Kind
from positions.engine.rates import Quote
from positions.models import PortfolioState, Position
from transactions.entries import LedgerEntry, effective
from transactions.excerpts import Stretch, entry_days_between, ledgers_on

QUOTES_LOOKED_AT_MAX = 1_000
"""With more of them than this that are new to a portfolio, it is booked anew as a whole."""

_OF_ITS_CURRENCIES = """
    r.market_seq > s.market_seq AND r.superseded_at IS NULL AND r.rate_date <= s.last_date
    AND (r.from_currency IN (held.currency, s.base_currency) OR r.to_currency IN (held.currency, s.base_currency))
"""
_FOREIGN = """
    (SELECT DISTINCT p.currency FROM positions AS p
     WHERE p.portfolio_id = s.portfolio_id AND p.currency <> s.base_currency)
"""


def concerned_by_market(
    states: Mapping[str, PortfolioState], *, market_seq: int | None = None
) -> tuple[dict[str, Concerned], set[str]]:
    """What late attributes and rates concern of the portfolios, those without anything such left out; and the
    portfolios to be booked anew as a whole. `market_seq` as in `market.refresh`.
    """
    newest = market.refresh(market_seq)
    behind = [p for p, state in states.items() if state.last_date is not None and state.market_seq < newest]
    if not behind:
        return {}, set()
    concerned = {p: Concerned(securities=names) for p, names in _with_new_attributes(behind).items()}
    quotes = _new_quotes(behind)
    anew = _with_costs_of_before(quotes.keys())
    anew |= {p for p, of_portfolio in quotes.items() if len(of_portfolio) > QUOTES_LOOKED_AT_MAX}
    looked_at = {p: of_portfolio for p, of_portfolio in quotes.items() if p not in anew}
    for portfolio_id, booked_at_them in _booked_at(looked_at, states).items():
        concerned.setdefault(portfolio_id, Concerned()).transaction_ids.update(booked_at_them)
    return {p: one for p, one in concerned.items() if p not in anew}, anew


def _with_new_attributes(portfolio_ids: Collection[str]) -> dict[str, set[str]]:
    """The securities held of which attributes were recorded after the portfolios were computed."""
    found: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.portfolio_id, p.security_id
            FROM portfolio_states AS s
            JOIN positions AS p ON p.portfolio_id = s.portfolio_id AND p.kind = 'SECURITY'
            JOIN instruments AS i ON i.security_id = p.security_id AND i.market_seq > s.market_seq
            WHERE s.portfolio_id = ANY(%s)
            """,
            [list(portfolio_ids)],
        )
        for portfolio_id, security_id in cursor.fetchall():
            found.setdefault(portfolio_id, set()).add(security_id)
    return found


def _new_quotes(portfolio_ids: Collection[str]) -> dict[str, set[Quote]]:
    """Quotes recorded after the portfolios were computed, of days up to their last entry's and of their currencies.

    Of a cross rate, one leg is always in the holding's currency or in base.
    """
    found: dict[str, set[Quote]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.portfolio_id, r.from_currency, r.to_currency, r.rate_date
            FROM portfolio_states AS s
            CROSS JOIN LATERAL {_FOREIGN} AS held
            CROSS JOIN LATERAL (
                SELECT r.from_currency, r.to_currency, r.rate_date FROM fx_rates AS r
                WHERE {_OF_ITS_CURRENCIES} LIMIT %s
            ) AS r
            WHERE s.portfolio_id = ANY(%s)
            """,  # noqa: S608 - no value of anybody's stands in the text
            [QUOTES_LOOKED_AT_MAX + 1, list(portfolio_ids)],
        )
        for portfolio_id, *quote in cursor.fetchall():
            found.setdefault(portfolio_id, set()).add(Quote(*quote))
    return found


def _with_costs_of_before(portfolio_ids: Collection[str]) -> set[str]:
    """Those that were given lots with an acquisition date, or by a portfolio of another base currency."""
    if not portfolio_ids:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT s.portfolio_id
            FROM portfolio_states AS s
            WHERE s.portfolio_id = ANY(%s) AND (
                EXISTS (
                    SELECT 1 FROM transactions AS t
                    WHERE t.portfolio_id = s.portfolio_id AND t.acquisition_date IS NOT NULL
                )
                OR EXISTS (
                    SELECT 1 FROM transfer_links AS l
                    JOIN given_lots AS g
                        ON g.portfolio_id = l.linked_portfolio_id AND g.transaction_id = l.linked_transaction_id
                    WHERE l.portfolio_id = s.portfolio_id AND g.base_currency <> s.base_currency
                )
            )
            """,
            [list(portfolio_ids)],
        )
        return {portfolio_id for (portfolio_id,) in cursor.fetchall()}


# --- which entries ------------------------------------------------------------------------------------------------


def _booked_at(quotes: Mapping[str, Collection[Quote]], states: Mapping[str, PortfolioState]) -> dict[str, set[str]]:
    """The transactions that are booked at a rate which rests on one of the quotes; portfolios without any left out."""
    found: dict[str, set[str]] = {}
    if not quotes:
        return found
    currencies = _currencies(quotes.keys())
    entry_days = entry_days_between(days={p: _reach(of_portfolio, states[p]) for p, of_portfolio in quotes.items()})
    days = {p: _resting(of_portfolio, quotes[p], currencies[p], states[p]) for p, of_portfolio in entry_days.items()}
    days = {portfolio_id: resting for portfolio_id, resting in days.items() if resting}
    if not days:
        return found
    for portfolio_id, versions in ledgers_on(days=days).items():
        base_currency, new = states[portfolio_id].base_currency, quotes[portfolio_id]
        for entry in effective(versions):
            exchanges = _exchanges(entry, base_currency, currencies[portfolio_id])
            if is_linked(entry) or _rest_on(exchanges, entry.transaction_date, new):
                found.setdefault(portfolio_id, set()).add(entry.transaction_id)
    return found


def _reach(quotes: Iterable[Quote], state: PortfolioState) -> list[Stretch]:
    """The days up to the last entry's for which the quotes count, until the next ones of their pairs.

    Stretches, and never day by day: of a mistyped year, they are centuries.
    """
    assert state.last_date, "without entries nothing is late"
    reach: list[Stretch] = []
    for quote in sorted(quotes, key=attrgetter("rate_date")):
        until = market.rates.counts_until(quote)
        stretch = quote.rate_date, min(until - ONE_DAY, state.last_date) if until else state.last_date
        if reach and stretch[0] <= reach[-1][1]:
            reach[-1] = reach[-1][0], max(reach[-1][1], stretch[1])
        else:
            reach.append(stretch)
    return reach


def _resting(
    entry_days: Iterable[datetime.date],
    quotes: Collection[Quote],
    currencies: Mapping[HoldingKey, str],
    state: PortfolioState,
) -> list[datetime.date]:
    """Those of the days on which an exchange among the currencies rests on one of the quotes."""
    exchanges = list(permutations({*currencies.values(), state.base_currency}, 2))
    return [day for day in entry_days if _rest_on(exchanges, day, quotes)]


def _currencies(portfolio_ids: Collection[str]) -> dict[str, dict[HoldingKey, str]]:
    """The currency of each holding that the portfolios have booked into."""
    currencies: dict[str, dict[HoldingKey, str]] = {portfolio_id: {} for portfolio_id in portfolio_ids}
    rows = Position.objects.filter(portfolio_id__in=portfolio_ids)
    for portfolio_id, kind, security_id, currency in rows.values_list(
        "portfolio_id", "kind", "security_id", "currency"
    ):
        currencies[portfolio_id][HoldingKey(Kind(kind), security_id)] = currency
    return currencies


def _exchanges(
    entry: LedgerEntry, base_currency: str, currencies: Mapping[HoldingKey, str]
) -> Iterable[tuple[str, str]]:
    """The exchanges from one currency to another that booking the entry may make at the market rate of its day."""
    if entry.transaction_fx_rate is None:
        yield entry.currency, base_currency
    local = currencies.get(HoldingKey(Kind.SECURITY, entry.security_id or ""), entry.currency)
    if local != entry.currency:
        yield entry.currency, local
        yield local, base_currency
    if entry.target_security_id:
        yield local, currencies.get(HoldingKey(Kind.SECURITY, entry.target_security_id), local)


def _rest_on(exchanges: Iterable[tuple[str, str]], day: datetime.date, quotes: Collection[Quote]) -> bool:
    """Whether the market rate of any of the exchanges on the day rests on one of the quotes."""
    rates = (market.rates.market(*exchange, day) for exchange in exchanges)
    return any(quote in quotes for rate in rates if rate for quote in rate.quotes)
