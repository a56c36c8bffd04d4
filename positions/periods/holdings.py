"""Positions and statements as they are answered: the holdings at the end of a day, and between the ends of a period."""

from __future__ import annotations

from typing import Any

from positions.analytics.statement import statement
from positions.checking.findings import Subject, finding_answer, findings_of_figures
from positions.figures import portfolio_answer
from positions.periods.answers import statement_answer
from positions.periods.days import statement_history
from positions.periods.frames import PeriodReading, framed
from positions.periods.sources import Sources, ends_of_statement, sources_of_positions, statement_remarks
from positions.variants.asked import Reading


def positions_answer(found: Reading, *, closed: bool) -> dict[str, Any]:
    """`positions`, `cash` and `totals` of the contract, with the findings of the figures. `closed`: holdings of nothing
    are listed too.
    """
    snapshot = found.snapshot()
    figures = portfolio_answer(snapshot, closed=closed)
    error = "" if found.variant else found.state.error
    findings = findings_of_figures(Subject(found.mark.portfolio_id, snapshot, figures["positions"], error))
    told = {"findings": [finding_answer(finding) for finding in findings]}
    return framed(found, {**figures, **told}, sources_of_positions(snapshot, figures["positions"]))


def position_answer(found: Reading, security_id: str) -> dict[str, Any] | None:
    """One position alone; None where there never was one up to the day."""
    snapshot = found.snapshot()
    positions = portfolio_answer(snapshot, closed=True)["positions"]
    position = next((one for one in positions if one["security_id"] == security_id), None)
    if position is None:
        return None
    remarks = sources_of_positions(snapshot, [position]).remarks
    return framed(found, {"position": position}, Sources(remarks), securities={security_id})


def statement_of(of: PeriodReading) -> dict[str, Any]:
    """`statement` of the contract, with the prices and rates of both its ends."""
    history = statement_history(of.found, of.period.start, of.period.end)
    of_period = statement(history, of.period.start, of.period.end)
    figures = statement_answer(of_period)
    return of.framed(figures, Sources(list(statement_remarks(of_period)), ends_of_statement(history, of_period)))
