"""Under which terms portfolios are booked anew: today's settings and attributes, and a market's rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from portfolio.models import CashMode, Portfolio
from positions.calculating.market import instrument_terms
from positions.engine.entry import Terms
from positions.engine.rates import RateTable
from transactions.entries import LedgerEntry


def terms_of(ledgers: Mapping[str, Sequence[LedgerEntry]], rates: RateTable) -> dict[str, Terms]:
    """The terms of each portfolio, whose entries are given in booking order.

    One without settings is provisional: its base currency is that of its first entry ("" where it has none), and its
    cash is not tracked.
    """
    settings = Portfolio.objects.in_bulk(list(ledgers))
    instruments = instrument_terms(
        {
            name
            for entries in ledgers.values()
            for entry in entries
            for name in (entry.security_id, entry.target_security_id)
            if name
        }
    )
    terms: dict[str, Terms] = {}
    for portfolio_id, entries in ledgers.items():
        known = settings.get(portfolio_id)
        if known is None:
            base_currency = entries[0].currency if entries else ""
            terms[portfolio_id] = Terms(
                portfolio_id, base_currency, cash_tracked=False, instruments=instruments, rates=rates
            )
            continue
        terms[portfolio_id] = Terms(
            portfolio_id=portfolio_id,
            base_currency=known.base_currency,
            cost_basis_method=known.cost_basis_method,
            cash_tracked=known.cash_mode == CashMode.TRACKED,
            allow_short=known.allow_short,
            fees_in_cost=known.fees_in_cost,
            instruments=instruments,
            rates=rates,
        )
    return terms
