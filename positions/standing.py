"""How a portfolio stands: its mark, its settings, how far its positions are calculated and its days valued, and how far
the market has come. Every answer begins with this, and with whether its reader may see it.

It is one row of one statement, because an answer from rows takes hardly longer than the statements it makes: each is a
way to the database and back. Whatever the rows say of a portfolio rests on what stands in this row, and so a reader who
has an answer that was made when it was the same need not be given it again (see `positions.api.unchanged`).
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from django.db import connection, models

from portfolio.models import CostBasisMethod, Portfolio, PortfolioChange
from portfolio.queries import AnyUser, may_read
from portfolio.reading import unknown_portfolio
from positions.models import PortfolioState, ValuationState


@dataclass(frozen=True, slots=True)
class Standing:
    """A portfolio as it stands in the database snapshot that it was read in.

    `valued` is None where no day was ever valued, or in another currency than the positions are in now: that is as if
    none had been. `has_news`: positions have changed since, which the days do not follow yet. `row` is all that was
    read: what tells one standing from another.
    """

    mark: PortfolioChange
    settings: Portfolio | None
    state: PortfolioState
    valued: ValuationState | None
    has_news: bool
    market_seq: int
    row: tuple[Any, ...]

    def days_of_now(self, today: datetime.date) -> tuple[datetime.date, datetime.date] | None:
        """The first and the last of the valued days, where nothing at all has happened since that changes one or adds
        another up to today; else None.
        """
        stored, state = self.valued, self.state
        if stored is None or self.has_news or stored.first_date is None or stored.last_date is None:
            return None
        of_now = (
            stored.computed_seq == state.computed_seq
            and stored.computed_seq >= self.mark.rebuild_seq
            and stored.market_seq == self.market_seq
            and stored.last_date >= max(today, state.last_date or today)
        )
        return (stored.first_date, stored.last_date) if of_now else None


def standing_of(*, portfolio_id: str) -> Standing | None:
    """The portfolio as it stands; None where nothing was ever recorded of it."""
    if not portfolio_id.isprintable():
        # Nothing unprintable is an id, and a NUL would be an error of the database.
        return None
    with connection.cursor() as cursor:
        cursor.execute(_ROW, {"portfolio_id": portfolio_id})
        row = cursor.fetchone()
    return _standing(row) if row else None


def visible_standing(user: AnyUser, portfolio_id: str) -> Standing:
    """The same for who asks. Raises Unknown where there is none, and just so where it is somebody else's."""
    standing = standing_of(portfolio_id=portfolio_id)
    if standing is None or not may_read(user, standing.mark):
        raise unknown_portfolio(portfolio_id)
    return standing


def _columns(table: str, model: type[models.Model]) -> str:
    return ", ".join(f"{table}.{field.column}" for field in model._meta.concrete_fields)


_MODELS = {"mark": PortfolioChange, "settings": Portfolio, "booked": PortfolioState, "valued": ValuationState}
_ROW = f"""
    SELECT {", ".join(_columns(table, model) for table, model in _MODELS.items())},
           EXISTS (SELECT FROM position_changes AS news WHERE news.portfolio_id = mark.portfolio_id),
           (SELECT market_seq FROM market_marks)
    FROM portfolio_changes AS mark
    LEFT JOIN portfolios AS settings ON settings.portfolio_id = mark.portfolio_id
    LEFT JOIN portfolio_states AS booked ON booked.portfolio_id = mark.portfolio_id
    LEFT JOIN valuation_states AS valued ON valued.portfolio_id = mark.portfolio_id
    WHERE mark.portfolio_id = %(portfolio_id)s
"""  # noqa: S608 - the columns are the tables' own


def _standing(row: tuple[Any, ...]) -> Standing:
    found: dict[str, Any] = {}
    rest = row
    for table, model in _MODELS.items():
        names = [field.attname for field in model._meta.concrete_fields]
        values, rest = rest[: len(names)], rest[len(names) :]
        known = values[names.index(model._meta.pk.attname)] is not None
        found[table] = model.from_db(connection.alias, names, values) if known else None
    has_news, market_seq = rest
    state = told_state(found["mark"].portfolio_id, found["booked"], found["settings"])
    valued = found["valued"]
    return Standing(
        mark=found["mark"],
        settings=found["settings"],
        state=state,
        valued=valued if valued and valued.base_currency == state.base_currency else None,
        has_news=has_news,
        market_seq=market_seq or 0,
        row=row,
    )


def told_state(portfolio_id: str, state: PortfolioState | None, settings: Portfolio | None) -> PortfolioState:
    """How far the portfolio is calculated; where it never was, an empty state under the settings that were told."""
    if state is not None and state.computed_seq:
        return state
    state = state or PortfolioState(portfolio_id=portfolio_id)
    state.base_currency = settings.base_currency if settings else ""
    state.cost_basis_method = settings.cost_basis_method if settings else CostBasisMethod.FIFO
    state.provisional = settings is None
    return state
