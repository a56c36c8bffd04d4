"""Figures of other programs: histories from their test suites, evaluated here.

See tests/conformance.py. A figure is compared where this API has one of the same meaning; `NOT_COMPARED` says what is
left out and why.
"""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from portfolio.money import plain
from positions.evaluation import evaluate
from tests.conformance import ledger_request, peer_request, read_cases

TOLERANCE = Decimal("1e-7")

Figure = tuple[str, Any, Any]


def cases(name: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in read_cases(name)]


def answer_to(request: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(request, default=plain).encode()
    return evaluate(body, today=datetime.date(2030, 1, 1))


# --- the peers' cases ---------------------------------------------------------------------------------------------


def peer_figures(case: dict[str, Any], answer: dict[str, Any]) -> Iterator[Figure]:
    positions, totals, disposals = answer["positions"], answer["totals"], answer["disposals"]
    base = "_base" if case["fx"] or any("fx_to_base" in t for t in case["transactions"]) else ""
    (one,) = positions if len(positions) == 1 else [{}]

    def total(name: str) -> Decimal:
        return sum((Decimal(p[name]) for p in positions), Decimal(0))

    def of_cash(name: str) -> Decimal:
        return sum((Decimal(c[name]) for c in answer["cash"]), Decimal(0))

    gross_gain = total("realized_gain") + total("unrealized_gain") if case["prices"] else Decimal(0)
    here: dict[str, Any] = {
        "quantity": lambda: one["quantity"],
        "average_cost": lambda: one["average_cost"],
        "average_cost_local": lambda: one["average_cost"],
        "cost_basis": lambda: total(f"cost_basis{base}"),
        "cost_basis_with_fx": lambda: total("cost_basis_base") + of_cash("cost_base"),
        "market_value": lambda: total(f"market_value{base}"),
        "realized_gain": lambda: total(f"realized_gain{base}"),
        "unrealized_gain": lambda: total(f"unrealized_gain{base}"),
        "gross_gain": lambda: gross_gain,
        "net_gain": lambda: gross_gain - Decimal(totals["fees"]),
        "gross_gain_local": lambda: gross_gain,
        "gross_gain_with_fx": lambda: total("unrealized_gain_base"),
        "net_gain_with_fx": lambda: total("unrealized_gain_base") - Decimal(totals["fees"]),
        "fees": lambda: totals["fees"],
        "fees_base": lambda: totals["fees"],
        "cash_base": lambda: totals["cash"],
        "fx_gain": lambda: of_cash("unrealized_fx_gain_base") + of_cash("realized_fx_gain_base"),
        "cash": lambda: {c["currency"]: c["balance"] for c in answer["cash"]},
        "remaining_lots": lambda: [
            (lot["acquisition_date"], lot["quantity"], lot["unit_cost"]) for lot in answer["lots"]
        ],
        "booked_lots": lambda: [(d["acquisition_date"], d["quantity"], unit_cost(d)) for d in disposals],
        "realized_by_sale": lambda: list(gains_by_sale(disposals).values()),
        "matches": lambda: [(d["quantity"], d["opening_transaction_id"]) for d in disposals],
        "missing_quantity": lambda: sum(
            Decimal(e["quantity"]) for e in answer["exceptions"] if e["code"] == "OVERSOLD"
        ),
    }
    purchases = [f"T{i:04d}" for i, t in enumerate(case["transactions"], 1) if t["type"] == "BUY"]
    for name, expected in case["expected"].items():
        if name in here:
            wanted = expected
            if name in ("remaining_lots", "booked_lots"):
                wanted = [(lot["acquired"], lot["quantity"], lot["unit_cost"]) for lot in expected]
            elif name == "matches":
                wanted = [(match["quantity"], purchases[match["lot"] - 1]) for match in expected]
            yield name, wanted, here[name]()


def unit_cost(disposal: dict[str, Any]) -> Decimal:
    return Decimal(disposal["cost_basis"]) / Decimal(disposal["quantity"])


def gains_by_sale(disposals: list[dict[str, Any]], figure: str = "realized_gain") -> dict[str, Decimal]:
    gains: dict[str, Decimal] = {}
    for disposal in disposals:
        sale = disposal["closing_transaction_id"]
        gains[sale] = gains.get(sale, Decimal(0)) + Decimal(disposal[figure])
    return gains


# --- the ledger's cases -------------------------------------------------------------------------------------------


def ledger_figures(case: dict[str, Any], answer: dict[str, Any]) -> Iterator[Figure]:
    disposals = answer["disposals"]
    by_sale = {
        "realized_gain_loss": gains_by_sale(disposals, "realized_gain_base"),
        "realized_gain_loss_local": gains_by_sale(disposals, "realized_gain"),
        "cogs_base": gains_by_sale(disposals, "cost_basis_base"),
        "cogs_local": gains_by_sale(disposals, "cost_basis"),
        "net_cost": {sale: -cost for sale, cost in gains_by_sale(disposals, "cost_basis_base").items()},
        "net_cost_local": {sale: -cost for sale, cost in gains_by_sale(disposals, "cost_basis").items()},
    }
    for lot in answer["lots"]:
        by_sale["net_cost"].setdefault(lot["transaction_id"], Decimal(lot["cost_basis_base"]))
    fields = {
        "quantity": "quantity",
        "cost_basis": "cost_basis_base",
        "cost_basis_local": "cost_basis",
        "market_price": "price",
        "market_value": "market_value_base",
        "market_value_local": "market_value",
        "unrealized_gain_loss": "unrealized_gain_base",
        "unrealized_gain_loss_local": "unrealized_gain",
    }
    (position,) = answer["positions"]
    for name, expected in case["expected"].items():
        if name in by_sale:
            for transaction_id, figure in expected.items():
                yield f"{name} {transaction_id}", figure, by_sale[name].get(transaction_id)
        elif name in ("position", "valuation"):
            for figure, value in expected.items():
                yield f"{name} {figure}", value, position[fields[figure]]


# --- the comparison -----------------------------------------------------------------------------------------------


def close(expected: Any, found: Any, tolerance: Decimal) -> bool:
    if isinstance(expected, list | tuple):
        return len(expected) == len(found) and all(close(e, f, tolerance) for e, f in zip(expected, found, strict=True))
    if isinstance(expected, dict):
        return expected.keys() == found.keys() and all(close(expected[k], found[k], tolerance) for k in expected)
    if isinstance(expected, int | Decimal):
        return abs(Decimal(expected) - Decimal(found)) <= tolerance
    return bool(str(expected) == str(found))


def wrong(figures: list[Figure], tolerance: Decimal) -> list[Figure]:
    return [(name, e, f) for name, e, f in figures if not close(e, f, max(tolerance, TOLERANCE))]


@pytest.mark.parametrize("case", cases("peers"))
def test_the_figures_are_those_of_the_peer(case):
    figures = list(peer_figures(case, answer_to(peer_request(case))))

    assert figures
    assert wrong(figures, Decimal(case["tolerance"])) == []


@pytest.mark.parametrize("case", cases("ledger"))
def test_the_figures_are_those_worked_out_for_the_ledger(case):
    figures = [
        (name, None if expected is None else Decimal(expected), found)
        for name, expected, found in ledger_figures(case, answer_to(ledger_request(case)))
    ]

    assert figures
    assert wrong(figures, Decimal(case["expected"].get("tolerance", 0))) == []


NOT_COMPARED = {
    "complete": "an exception says it",
    "sold_cost_known_part": "an oversell is left out as a whole here",
    "net_contribution_added": "flows are a matter of returns",
    **dict.fromkeys(
        ("gross_return_with_fx", "net_return_with_fx", "net_return_local", "gross_return_local"), "returns"
    ),
    **dict.fromkeys(("realized_return", "xirr_closed_part"), "returns"),
}


def test_no_figure_of_a_peer_is_lost_unseen():
    read = [case.values[0] for case in cases("peers")]
    compared = Counter(name for case in read for name, *_ in peer_figures(case, answer_to(peer_request(case))))
    given = Counter(name for case in read for name in case["expected"])

    assert set(given - compared) == set(NOT_COMPARED)
