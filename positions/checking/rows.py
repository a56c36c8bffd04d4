"""Rows that must tie among themselves: a holding with its lots, its disposals, its moves and its last day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import connection

from portfolio.money import ZERO, exact
from positions.calculating.tables import FIGURES
from positions.checking.differences import Comparison, Difference
from positions.engine.holdings import HoldingKey, Kind
from positions.engine.postings import POSTED_SUMS
from positions.models import Position
from positions.periods.segments import holding_name

Rows = Mapping[HoldingKey, Mapping[str, Any]]
_REALIZED = ("realized_gain", "realized_gain_base", "realized_fx_gain_base")


def positions_of(portfolio_id: str) -> Rows:
    """The stored holdings of a portfolio, their figures by name."""
    rows = Position.objects.filter(portfolio_id=portfolio_id).values("kind", "security_id", *FIGURES)
    return {HoldingKey(Kind(row.pop("kind")), str(row.pop("security_id"))): row for row in map(dict[str, Any], rows)}


def lots_add_up(compare: Comparison, positions: Rows) -> Iterator[Difference]:
    """The open lots of a security are what is held of it; cash is one pool and has none."""
    columns = ("quantity", "cost_basis", "cost_basis_base", "unrated_lots")
    # As the holding does, base cost sums what is known of it.
    found = _by_security(
        """
        SELECT security_id, sum(quantity), sum(cost_basis),
               coalesce(sum(cost_basis_base) FILTER (WHERE cost_basis_base <> 'NaN'), 0),
               count(*) FILTER (WHERE cost_basis_base = 'NaN')
        FROM lots WHERE portfolio_id = %s GROUP BY security_id
        """,
        compare.portfolio_id,
    )
    yield from _sums_tie(compare, _of_kind(positions, Kind.SECURITY), "lots", columns, found)


def disposals_add_up(compare: Comparison, positions: Rows) -> Iterator[Difference]:
    """What a security has realised is what its disposals realised."""
    found = _by_security(
        """
        SELECT security_id, sum(realized_gain), sum(realized_gain_base), sum(realized_fx_gain_base)
        FROM disposals WHERE portfolio_id = %s GROUP BY security_id
        """,
        compare.portfolio_id,
    )
    yield from _sums_tie(compare, _of_kind(positions, Kind.SECURITY), "disposals", _REALIZED, found)


def movements_add_up(compare: Comparison, positions: Rows) -> Iterator[Difference]:
    """A balance, and what stands beside it, is what moved the cash."""
    columns = ("quantity", "income", *POSTED_SUMS)
    sums = ", ".join(f"sum(coalesce({'amount' if name == 'quantity' else name}, 0))" for name in columns)
    found = _by_security(
        f"SELECT currency, {sums} FROM cash_movements WHERE portfolio_id = %s GROUP BY currency",  # noqa: S608 - as below
        compare.portfolio_id,
    )
    yield from _sums_tie(compare, _of_kind(positions, Kind.CASH), "movements", columns, found)


def cost_is_held_or_relieved(compare: Comparison, positions: Rows) -> Iterator[Difference]:
    """What was put into a holding, in money and in kind, is what it still costs and what was relieved of it.

    Relieved is what was taken out, less the gain in it. In base; a holding that misses a rate says nothing.
    """
    found = _by_security(
        """
        SELECT security_id, sum(cost) FROM (
            SELECT coalesce(target_id, source_id) AS security_id, cost_basis_base AS cost
            FROM moves WHERE portfolio_id = %(id)s
            UNION ALL
            SELECT source_id, -cost_basis_base FROM moves WHERE portfolio_id = %(id)s AND target_id IS NOT NULL
        ) AS moved WHERE security_id IS NOT NULL GROUP BY security_id
        """,
        {"id": compare.portfolio_id},
    )
    with exact():
        for key, held in positions.items():
            (in_kind,) = found.get(key.security_id, (ZERO,)) if key.kind is Kind.SECURITY else (ZERO,)
            cost_in = held["money_in_base"] + in_kind
            relieved = held["money_out_base"] - held["realized_gain_base"]
            if not held["unrated_lots"]:
                difference = cost_in - relieved - held["cost_basis_base"]
                name = "cost in - relieved - cost held, base"
                yield from compare.zero(holding_name(key), name, difference)


def last_days_are_positions(compare: Comparison, positions: Rows) -> Iterator[Difference]:
    """The last row of a holding's days is the holding."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT DISTINCT ON (kind, security_id) kind, security_id, {", ".join(FIGURES)}
            FROM position_days WHERE portfolio_id = %s ORDER BY kind, security_id, position_date DESC
            """,  # noqa: S608 - the columns are the table's own
            [compare.portfolio_id],
        )
        days = {
            HoldingKey(Kind(kind), name): dict(zip(FIGURES, figures, strict=True)) for kind, name, *figures in cursor
        }
    for key in sorted(days.keys() | positions.keys()):
        yield from compare.equal(
            holding_name(key),
            {f"last position_days.{name}": value for name, value in days.get(key, {}).items()},
            {f"last position_days.{name}": value for name, value in positions.get(key, {}).items()}
            or {"positions row": "one"},
        )


def _by_security(sql: str, parameters: Any) -> dict[str, Sequence[Any]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters if isinstance(parameters, dict) else [parameters])
        return {security_id: sums for security_id, *sums in cursor.fetchall()}


def _of_kind(positions: Rows, kind: Kind) -> Rows:
    return {key: figures for key, figures in positions.items() if key.kind is kind}


def _sums_tie(
    compare: Comparison, positions: Rows, of: str, columns: Sequence[str], found: Mapping[str, Sequence[Any]]
) -> Iterator[Difference]:
    """The columns of the positions, all of one kind, are the sums found; where there is none of either it is 0."""
    names = {key.security_id: holding_name(key) for key in positions}
    held = {key.security_id: figures for key, figures in positions.items()}
    for security_id in sorted(held.keys() | found.keys()):
        sums = found.get(security_id, [ZERO] * len(columns))
        for column, total in zip(columns, sums, strict=True):
            stored = held.get(security_id, {}).get(column, ZERO)
            figure = f"{column} of the position, beside its {of}"
            name = names.get(security_id, security_id)
            yield from compare.close(name, figure, Decimal(stored), Decimal(total), ZERO)
