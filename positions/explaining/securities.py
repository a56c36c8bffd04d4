"""Explaining a security with a long history from stored rows: what is read is bounded, however many trades there were.

Booking the trades again tells what each changed, and takes as long as there are many. The rows say the same in larger
steps: a holding's days what each day changed, its disposals what was realised, its lots what is held. They hold the
portfolio by its own method, as everything is known now, and its lots as they are after the last entry.
"""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

from django.db import connection

from portfolio.amounts import number_of
from portfolio.problems import Unknown
from positions.calculating.components import closed
from positions.checking.exceptions import EXCEPTIONS_MAX, exceptions_listed, exceptions_of, stored_exceptions
from positions.engine.holdings import Holding, HoldingKey
from positions.explaining.answers import added_up, holding_answer, lot_lines
from positions.explaining.day_parts import day_parts
from positions.explaining.explanation import lot_parts
from positions.explaining.facts import enriched, facts_of
from positions.explaining.listing import Explained
from positions.explaining.market import price_answer, rate_answer
from positions.explaining.row_parts import disposal_parts, newest_lots
from positions.figures import Snapshot, valuation_in
from positions.models import BookingException
from positions.variants.asked import Reading
from transactions.entries import FIELDS, LedgerEntry, effective, entry_of
from transactions.excerpts import corporate_links

OF_LOTS = ("unrealized_gain", "market_value")


def has_more_entries(*, portfolio_id: str, security_id: str, than: int) -> bool:
    """Whether more transactions than so many, in any version, hang together with the security."""
    links = corporate_links(portfolio_ids=[portfolio_id])[portfolio_id]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM (
                SELECT FROM transactions WHERE portfolio_id = %s AND security_id = ANY(%s) LIMIT %s
            ) AS t
            """,
            [portfolio_id, list(closed({security_id}, links)), than + 1],
        )
        (count,) = cursor.fetchone()
    return int(count) > than


def rows_say(found: Reading, figure: str) -> bool:
    """Whether stored rows say what a figure is made of: of an earlier day the lots that were open then are not kept."""
    last_date = found.state.last_date
    return figure not in OF_LOTS or last_date is None or found.as_of >= last_date


def stored_security_answer(found: Reading, figure: str, key: HoldingKey) -> dict[str, Any]:
    """The explanation of a figure of a security, as it is stored. Raises Unknown.

    Needs the arithmetic of `portfolio.money.exact`.
    """
    portfolio_id, security_id, day = found.state.portfolio_id, key.security_id, found.as_of
    snapshot = found.snapshot()
    problems = exceptions_of(state=found.state, until=day, securities={security_id}, count=EXCEPTIONS_MAX + 1)
    held = next((held for held in snapshot.holdings if held.key == key), None)
    if held is None:
        if not problems:
            raise Unknown(f"No transaction of the portfolio {portfolio_id} up to {day} has to do with {security_id!r}.")
        held = Holding(key, snapshot.base_currency)
    explained, price, rate = _explained(found, figure, held, snapshot)
    return {
        **holding_answer(figure, held, snapshot.base_currency, explained),
        "price": price,
        "rate": rate,
        **exceptions_listed(stored_exceptions(problems)),
        "provisional": security_id in snapshot.provisional or snapshot.provisional_portfolio,
    }


def _explained(
    found: Reading, figure: str, held: Holding, snapshot: Snapshot
) -> tuple[Explained, dict[str, Any] | None, dict[str, Any] | None]:
    """The figure with its parts, and the price and rate it was valued at, if it was."""
    portfolio_id, security_id = found.state.portfolio_id, held.key.security_id
    if figure in OF_LOTS:
        return _of_lots(found, figure, held, snapshot)
    if figure == "realized_gain":
        facts = partial(facts_of, found, local_currency=held.currency)
        before, lines = disposal_parts(
            portfolio_id=portfolio_id, security_id=security_id, until=found.as_of, facts=facts
        )
        value, value_base = number_of(held.realized_gain), number_of(held.realized_gain_base)
    else:
        before, lines = day_parts(portfolio_id=portfolio_id, security_id=security_id, figure=figure, until=found.as_of)
        value, value_base = added_up(figure, held)
    return Explained(value, value_base, lines, before=before, goes_on=True), None, None


def _of_lots(
    found: Reading, figure: str, held: Holding, snapshot: Snapshot
) -> tuple[Explained, dict[str, Any] | None, dict[str, Any]]:
    gain = figure == "unrealized_gain"
    valuation = valuation_in(held, snapshot)
    with_lots, left_out = newest_lots(held, found.state.portfolio_id)
    lines = lot_lines(lot_parts(with_lots, valuation, gain=gain), held.key.security_id, valuation.missing)
    before = left_out(lines)
    value = valuation.unrealized_gain if gain else valuation.market_value
    value_base = valuation.unrealized_gain_base if gain else valuation.market_value_base
    price = price_answer(held, snapshot, valuation, enriched(found, _traded(found, held))[0])
    rate = rate_answer(snapshot.rates, held.currency, snapshot.base_currency, snapshot.as_of)
    listed = lines[1:] if before else lines
    return Explained(number_of(value), number_of(value_base), listed, valuation.missing, before), price, rate


def _traded(found: Reading, held: Holding) -> list[LedgerEntry]:
    """The transactions of the day of the holding's last own trade as calculated, but for those left out as oversold."""
    day: datetime.date | None = held.trade_price_date
    if day is None:
        return []
    portfolio_id = found.state.portfolio_id
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT {FIELDS} FROM transactions AS named JOIN transactions AS t USING (portfolio_id, transaction_id)
            WHERE named.portfolio_id = %s AND named.transaction_date = %s AND named.security_id = %s
              AND t.change_seq <= %s
            """,  # noqa: S608 - the columns are the table's own
            [portfolio_id, day, held.key.security_id, found.state.computed_seq],
        )
        entries = effective([entry_of(row) for row in cursor.fetchall()])
    oversold = BookingException.objects.filter(portfolio_id=portfolio_id, code="OVERSOLD", transaction_date=day)
    ids = set(oversold.values_list("transaction_id", flat=True))
    return [entry for entry in entries if entry.transaction_id not in ids]
