"""Random histories of one portfolio, of every transaction type: what the laws are tried on.

Few securities, few days and small numbers, so that things meet: shorts are covered by transfers, what was merged is
split, links name what is missing, later or of another quantity.
"""

from __future__ import annotations

import datetime
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from portfolio.streaming.messages import NamedLot, SubmittedTransaction
from portfolio.transaction_types import TRANSACTION_TYPES
from tests.pipeline import transaction

D = Decimal

CURRENCIES = {"AAA": "USD", "BBB": "EUR", "CCC": "USD", "DDD": "EUR"}
METHODS = ("FIFO", "LIFO", "HIFO", "AVCO", "SPECIFIC")
_OFTEN = ["BUY"] * 8 + ["SELL"] * 5 + ["TRANSFER_OUT"] * 3 + ["TRANSFER_IN"] * 3
_OF_A_SECURITY = {"DIVIDEND", "BUY", "SELL", "REINVESTMENT", "REDEMPTION", "RETURN_OF_CAPITAL"} | {
    "SPLIT",
    "STOCK_DIVIDEND",
    "SYMBOL_CHANGE",
    "MERGER",
    "SPIN_OFF",
}


def a_history(
    seed: int, size: int, *, corrections: bool = True, portfolio_ids: Sequence[str] = ("P1",)
) -> list[SubmittedTransaction]:
    """Transactions T000 .. of the portfolios, with corrections and cancellations among them unless not wanted.

    In more than one portfolio, transfers are linked across them.
    """
    choose = random.Random(seed)
    history: list[SubmittedTransaction] = []
    for number in range(size):
        fields = _fields(choose, number, history) | {"portfolio_id": choose.choice(portfolio_ids)}
        kind = fields.pop("transaction_type")
        history.append(transaction(kind, **fields))
        if corrections and choose.random() < 0.1:
            status = choose.choice(["BOOKED", "CANCELLED"])
            history.append(transaction(kind, **{**fields, "version": 2, "status": status, "trade_fee": D(3)}))
    return history


def _fields(choose: random.Random, number: int, before: list[SubmittedTransaction]) -> dict[str, Any]:
    kind = choose.choice(_OFTEN + list(TRANSACTION_TYPES))
    day = min(number // 4 + choose.randint(1, 4), 28)
    fields: dict[str, Any] = {
        "transaction_type": kind,
        "transaction_id": f"T{number:03d}",
        "transaction_date": f"2025-01-{day:02d}" + choose.choice(["", "", "", "T10:30:00Z"]),
        "currency": choose.choice(["USD", "EUR"]),
        "trade_fee": D(choose.choice(["0", "0", "1.25"])),
        "tax": D(choose.choice(["0", "0", "0.37"])),
    }
    in_kind = kind.startswith("TRANSFER") and choose.random() < 0.85
    if kind in _OF_A_SECURITY or in_kind:
        fields["security_id"] = choose.choice(list(CURRENCIES))
        if choose.random() < 0.85:
            fields["currency"] = CURRENCIES[fields["security_id"]]
    return fields | _of_kind(choose, kind, fields, before)


def _of_kind(
    choose: random.Random, kind: str, fields: dict[str, Any], before: list[SubmittedTransaction]
) -> dict[str, Any]:
    target = choose.choice([s for s in CURRENCIES if s != fields.get("security_id")])
    gross = D(choose.randint(1, 50_000)) / 100
    ratio = {"ratio_new": D(choose.randint(1, 3)), "ratio_old": D(choose.randint(1, 3))}
    match kind:
        case "BUY" | "SELL" | "REINVESTMENT" | "REDEMPTION":
            price = round(D(choose.randint(100, 999)) / 7, 6)
            named = choose.sample(before, len(before) // 4)
            lots = tuple(NamedLot(transaction_id=t.transaction_id, quantity=D(2)) for t in named)
            return {"quantity": D(choose.randint(1, 30)), "price": price, "lots": lots}
        case "SPLIT":
            return ratio
        case "STOCK_DIVIDEND":
            return {"quantity": D(choose.randint(1, 5))}
        case "SYMBOL_CHANGE":
            return {"target_security_id": target}
        case "MERGER":
            cash = {"gross_transaction_amount": gross, "cost_fraction": D("0.3")} if choose.random() < 0.5 else {}
            return {"target_security_id": target, **ratio, **cash}
        case "SPIN_OFF":
            return {"target_security_id": target, "cost_fraction": D("0.15"), **ratio}
        case "FX_TRADE":
            other = "EUR" if fields["currency"] == "USD" else choose.choice(["USD", "GBP"])
            currency = "GBP" if other == "EUR" and choose.random() < 0.3 else fields["currency"]
            amounts = {"gross_transaction_amount": gross, "target_amount": round(gross * D("1.07"), 2)}
            return {"currency": currency, "target_currency": other, **amounts}
        case "TRANSFER_OUT" if "security_id" in fields:
            return {"quantity": D(choose.randint(1, 15))}
        case "TRANSFER_IN" if "security_id" in fields:
            return _transfer_in(choose, gross, before)
    return {"gross_transaction_amount": gross}


def _transfer_in(choose: random.Random, gross: Decimal, before: list[SubmittedTransaction]) -> dict[str, Any]:
    given = [t for t in before if t.transaction_type == "TRANSFER_OUT" and t.security_id]
    plain = {"quantity": D(choose.randint(1, 15)), "gross_transaction_amount": gross}
    if not given or choose.random() < 0.2:
        return plain | ({"acquisition_date": datetime.date(2024, 12, 20)} if choose.random() < 0.5 else {})
    out = choose.choice(given)
    linked: dict[str, Any] = {"linked_transaction_id": out.transaction_id, "security_id": out.security_id}
    linked["linked_portfolio_id"] = out.portfolio_id
    linked["currency"] = CURRENCIES[out.security_id or ""]
    if choose.random() < 0.8:
        linked |= {"quantity": out.quantity, "transaction_date": out.transaction_date[:10]}
    return plain | linked
