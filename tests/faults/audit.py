"""The count afterwards: nothing lost, nothing twice, nothing else; every figure as if nothing had happened."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.db.models import F, Q

from orchestrator.models import Calculation
from portfolio.models import DeadLetter, PortfolioChange, StoppedWorker
from positions.models import DailyValuation, PortfolioState
from tests.faults.flow import AS_OF, START, Flow
from tests.pipeline import calculate, rows_of
from tests.system import System, eventually
from transactions.models import Transaction

FIGURES = ("positions", "cash", "totals")


def settle(flow: Flow, *, timeout_s: float = 75) -> None:
    """Wait until the ledger holds as much as was sent, and nothing is owed."""
    expected = len(flow.ledger())
    eventually(lambda: Transaction.objects.count() >= expected, timeout_s=timeout_s, what="the ledger", pause_s=0.3)
    eventually(lambda: not owed(), timeout_s=timeout_s, what="calculations", pause_s=0.3)


def owed() -> list[str]:
    """The portfolios of which something is owed, by the marks or by the orchestrator's counters."""
    marks = dict(PortfolioChange.objects.values_list("portfolio_id", "change_seq"))
    computed = dict(PortfolioState.objects.values_list("portfolio_id", "computed_seq"))
    open_ones = Calculation.objects.filter(
        ~Q(state="IDLE") | Q(requested_seq__gt=F("done_seq")) | Q(requested_market_seq__gt=F("done_market_seq"))
    )
    behind = [portfolio_id for portfolio_id, seq in marks.items() if computed.get(portfolio_id, 0) < seq]
    return behind + list(open_ones.values_list("portfolio_id", flat=True))


def audit(system: System, flow: Flow) -> None:
    """Everything that must hold once all is quiet."""
    settle(flow)
    rows = Transaction.objects.values_list("portfolio_id", "transaction_id", "version", "content_hash")
    ledger = [(p, t, version, bytes(content)) for p, t, version, content in rows]
    assert len(ledger) == len(set(ledger)), "something stands in the ledger twice"
    assert set(ledger) == flow.ledger()
    assert list(DeadLetter.objects.values_list("code", "reason")) == []
    assert not StoppedWorker.objects.exists()
    assert system.down == ()

    for portfolio_id in flow.portfolio_ids:
        answer = system.positions(portfolio_id, as_of=AS_OF)
        expected = flow.evaluated(portfolio_id)
        assert answer["pending"] is None
        for name in FIGURES:
            assert answer[name] == plain(expected[name]), f"{name} of {portfolio_id}"
        assert by_id(answer["exceptions"]) == by_id(plain(expected["exceptions"]))
        assert values_of_days(portfolio_id) == values_in(expected["performance"]["series"])
    assert [p for p in flow.portfolio_ids if not system.positions(p)["positions"]] == []

    before = {portfolio_id: rows_of(portfolio_id) for portfolio_id in flow.portfolio_ids}
    calculate(*flow.portfolio_ids, rebuild=True)
    for portfolio_id in flow.portfolio_ids:
        for table, of_table in rows_of(portfolio_id).items():
            assert of_table == before[portfolio_id][table], f"{table} of {portfolio_id}, booked anew"


def values_of_days(portfolio_id: str) -> dict[str, Decimal | None]:
    """The stored value of every day looked at; None where it is unknown."""
    days = DailyValuation.objects.filter(portfolio_id=portfolio_id, valuation_date__gt=START, valuation_date__lte=AS_OF)
    return {str(day.valuation_date): None if day.value.is_nan() else day.value for day in days}


def values_in(series: list[dict[str, Any]]) -> dict[str, Decimal | None]:
    return {str(day["date"]): None if isinstance(day["value"], dict) else Decimal(day["value"]) for day in series}


def plain(answer: Any) -> Any:
    """As it looks in JSON."""
    return json.loads(json.dumps(answer, default=str))


def by_id(exceptions: Any) -> list[Any]:
    return sorted(exceptions, key=lambda one: (one["transaction_id"], one["code"]))
