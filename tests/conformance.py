"""Histories from the test suites of other programs, as requests of this one's `evaluate`.

tests/data/conformance_peers.json and conformance_ledger.json name the project and file that each case was taken from,
as facts: transactions, and the figures that project's own tests expect.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent / "data"
METHODS = {"fifo": "FIFO", "average": "AVCO", "balance": "FIFO"}


def read_cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file, their numbers as decimals."""
    cases: list[dict[str, Any]] = json.loads((DATA / f"conformance_{name}.json").read_text(), parse_float=Decimal)
    return cases


def peer_request(case: dict[str, Any]) -> dict[str, Any]:
    base = currency_of(case["base_currency"])
    multipliers = {t["symbol"]: t["multiplier"] for t in case["transactions"] if "multiplier" in t}
    dates = [t["date"] for t in case["transactions"]] + [p["date"] for p in case["prices"]]
    tracked = not case["expected"].keys().isdisjoint({"cash", "cash_base"})
    return {
        "portfolio": {
            "base_currency": base,
            "cost_basis_method": METHODS[case["method"]],
            "fees_in_cost": case["fees_in_cost"],
            "allow_short": case.get("oversell") != "missing",
            "cash_mode": "TRACKED" if tracked else "UNTRACKED",
        },
        "transactions": [peer_transaction(index, t, base) for index, t in enumerate(case["transactions"], 1)],
        "instruments": [{"security_id": s, "currency": base, "price_factor": m} for s, m in multipliers.items()],
        "market_prices": [
            {
                "security_id": p["symbol"],
                "price_date": p["date"],
                "price": p["price"],
                "currency": currency_of(p.get("currency", base)),
            }
            for p in case["prices"]
        ],
        "fx_rates": [
            {"from_currency": r["base"], "to_currency": r["quote"], "rate_date": r["date"], "rate": r["rate"]}
            for r in case["fx"]
        ],
        "as_of": case.get("as_of") or max(dates),
    }


def peer_transaction(index: int, t: dict[str, Any], base: str) -> dict[str, Any]:
    same = {
        "security_id": "symbol",
        "quantity": "quantity",
        "price": "unit_price",
        "transaction_fx_rate": "fx_to_base",
        "ratio_new": "ratio_new",
        "ratio_old": "ratio_old",
    }
    made = {name: t[theirs] for name, theirs in same.items() if theirs in t}
    fee, tax = Decimal(t.get("fee") or 0), Decimal(t.get("tax") or 0)
    made |= {
        "transaction_id": f"T{index:04d}",
        "transaction_type": t["type"],
        "transaction_date": t["date"],
        "currency": currency_of(t.get("currency", base)),
        "trade_fee": fee,
        "tax": tax,
    }
    if "amount" in t:
        # Of a trade theirs is the whole cash of the ticket and ours the gross amount. Of all else both are gross.
        before_costs = {"BUY": -1, "SELL": 1}.get(t["type"], 0)
        made["gross_transaction_amount"] = Decimal(t["amount"]) + before_costs * (fee + tax)
    return made


def currency_of(code: str) -> str:
    """Some cases name no real currency."""
    return code if len(code) == 3 and code.isupper() else "USD"


def ledger_request(case: dict[str, Any]) -> dict[str, Any]:
    base = case.get("base_currency") or case["transactions"][0]["currency"]
    prices = case.get("market_prices", {})
    currencies = {t["security_id"]: t["currency"] for t in case["transactions"]}
    return {
        "portfolio": {"base_currency": base, "cost_basis_method": case["method"], "cash_mode": "UNTRACKED"},
        "transactions": case["transactions"],
        "market_prices": [
            {"security_id": s, "price_date": date, "price": price, "currency": currencies[s]}
            for date, of_day in prices.items()
            for s, price in of_day.items()
        ],
        "fx_rates": [
            dict(zip(("from_currency", "to_currency", "rate_date", "rate"), rate, strict=True))
            for rate in case.get("fx_rates", ())
        ],
        "as_of": max([t["transaction_date"][:10] for t in case["transactions"]] + list(prices)),
    }
