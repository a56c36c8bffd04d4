"""Statements and performance as an answer gives them: the words of the contract, decimals as strings, reasons."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from portfolio.money import plain
from positions.analytics.performance import Performance, PeriodReturns
from positions.analytics.statement import Statement, StatementRow
from positions.analytics.unavailable import Unavailable
from positions.engine.lots import Kind
from positions.figures import Figure, figure


def statement_answer(statement: Statement) -> dict[str, Any]:
    """`statement` of the contract."""
    missing = statement.missing
    terms = ("opening", "inflows", "outflows", "price_gain", "fx_gain", "realized_gain", "unrealized_gain_change")
    return {
        "start": statement.start,
        "end": statement.end,
        **{
            name: figure(getattr(statement, name), missing)
            for name in (*terms, "income", "fees", "taxes", "closing", "residual")
        },
        "holdings": [_row_answer(row) for row in statement.holdings],
    }


def _row_answer(row: StatementRow) -> dict[str, Any]:
    name = "security_id" if row.key.kind is Kind.SECURITY else "currency"
    terms = (
        "opening",
        "money_in",
        "money_out",
        "price_gain",
        "fx_gain",
        "closing",
        "income",
        "fees",
        "taxes",
        "residual",
    )
    missing = row.missing or "MISSING_FX_RATE"
    return {name: row.key.security_id, **{term: figure(getattr(row, term), missing) for term in terms}}


def performance_answer(performance: Performance) -> dict[str, Any]:
    """`performance` of the contract; all rates of return are fractions."""
    returns = performance.returns
    return {
        "start": returns.period.start,
        "end": returns.period.end,
        "flow_timing": returns.time_weighted.flow_timing.value,
        "gross": returns.time_weighted.gross,
        **_returns_answer(returns),
        "periods": {
            name: {"start": of.period.start, "end": of.period.end, **_returns_answer(of)}
            for name, of in performance.periods.items()
        },
        "series": [
            {
                "date": day.date,
                "value": measured(day.value),
                "return": measured(day.rate),
                "cumulative": measured(day.cumulative),
            }
            for day in performance.series
        ],
        "flags": sorted(performance.flags | returns.flags),
    }


def _returns_answer(returns: PeriodReturns) -> dict[str, Any]:
    return {
        "time_weighted_return": measured(returns.time_weighted.time_weighted_return),
        "time_weighted_return_annualized": measured(returns.time_weighted.time_weighted_return_annualized),
        "money_weighted_return": measured(returns.money_weighted.money_weighted_return),
        "money_weighted_return_annualized": measured(returns.money_weighted.money_weighted_return_annualized),
        "modified_dietz": measured(returns.modified_dietz),
    }


def measured(value: Decimal | float | Unavailable) -> Figure:
    """A figure of the analytics: a plain decimal string, or the reason why there is none."""
    if isinstance(value, Unavailable):
        return {"unavailable": value.code, "detail": value.detail}
    return plain(value if isinstance(value, Decimal) else Decimal(repr(float(value))))
