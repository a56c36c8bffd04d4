"""The columns of the calculators' tables, as rows have them, with their types in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from positions.engine.postings import POSTED_SUMS

Row = tuple[Any, ...]

FIGURES = {
    "currency": "text",
    "quantity": "numeric",
    "cost_basis": "numeric",
    "cost_basis_base": "numeric",
    "unrated_lots": "int4",
    "realized_gain": "numeric",
    "realized_gain_base": "numeric",
    "realized_fx_gain_base": "numeric",
    "income": "numeric",
    "income_base": "numeric",
    "fees_base": "numeric",
    "taxes_base": "numeric",
    "fees_in_cost_base": "numeric",
    "money_in_base": "numeric",
    "money_out_base": "numeric",
    "inflow_base": "numeric",
    "outflow_base": "numeric",
    "split_ratio": "numeric",
    "trade_price": "numeric",
    "trade_price_currency": "text",
    "trade_price_date": "date",
    "trade_split_ratio": "numeric",
    "carried_from": "text",
    "carried_date": "date",
    "carried_ratio": "numeric",
    "carried_price": "numeric",
    "carried_price_currency": "text",
    "carried_price_date": "date",
    "rated_sums": "numeric[]",
}
_HOLDING = {"portfolio_id": "text", "kind": "text", "security_id": "text"} | FIGURES | {"flags": "text[]"}
LOT_KEY_COLUMNS = {
    "acquisition_date": "date",
    "acquisition_time_us": "int8",
    "opening_transaction_id": "text",
    "opening_portfolio_id": "text",
}
LOT_FIGURES = {"quantity": "numeric", "cost_basis": "numeric", "cost_basis_base": "numeric"}

POSITIONS = _HOLDING | {"first_date": "date"}
POSITION_DAYS = _HOLDING | {"position_date": "date"}
LOTS = {"portfolio_id": "text", "security_id": "text"} | LOT_KEY_COLUMNS | LOT_FIGURES
CASH_MOVEMENTS = {
    "portfolio_id": "text",
    "currency": "text",
    "movement_date": "date",
    "movement_time_us": "int8",
    "movement_rank": "int2",
    "transaction_id": "text",
    "leg": "int2",
    "security_id": "text",
    "amount": "numeric",
    "amount_base": "numeric",
    "income": "numeric",
    **dict.fromkeys(POSTED_SUMS, "numeric"),
    "flags": "text[]",
    "place": "text[]",
}
DISPOSALS = {
    "portfolio_id": "text",
    "security_id": "text",
    "currency": "text",
    **LOT_KEY_COLUMNS,
    "closing_transaction_id": "text",
    "disposal_date": "date",
    "disposal_time_us": "int8",
    "piece": "int4",
    "quantity": "numeric",
    "proceeds": "numeric",
    "cost_basis": "numeric",
    "realized_gain": "numeric",
    "proceeds_base": "numeric",
    "cost_basis_base": "numeric",
    "realized_gain_base": "numeric",
    "realized_fx_gain_base": "numeric",
}
EXCEPTIONS = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "transaction_date": "date",
    "code": "text",
    "security_id": "text",
    "quantity": "numeric",
    "detail": "text",
}
GIVEN_LOTS = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "transaction_date": "date",
    "transaction_time_us": "int8",
    "transaction_rank": "int2",
    "security_id": "text",
    "transferred": "numeric",
    "currency": "text",
    "base_currency": "text",
    **LOT_KEY_COLUMNS,
    **LOT_FIGURES,
}
TRANSFER_LINKS = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "transaction_date": "date",
    "transaction_time_us": "int8",
    "transaction_rank": "int2",
    "security_id": "text",
    "quantity": "numeric",
    "linked_portfolio_id": "text",
    "linked_transaction_id": "text",
    "received": "text",
}
MOVES = {
    "portfolio_id": "text",
    "transaction_id": "text",
    "move_date": "date",
    "source_id": "text",
    "target_id": "text",
    "quantity": "numeric",
    "split_ratio": "numeric",
    "cost_basis": "numeric",
    "cost_basis_base": "numeric",
    "booked_base": "numeric",
}
TABLES: Mapping[str, Mapping[str, str]] = {
    "positions": POSITIONS,
    "position_days": POSITION_DAYS,
    "lots": LOTS,
    "cash_movements": CASH_MOVEMENTS,
    "disposals": DISPOSALS,
    "booking_exceptions": EXCEPTIONS,
    "given_lots": GIVEN_LOTS,
    "transfer_links": TRANSFER_LINKS,
    "moves": MOVES,
}

POSITION_CHANGES = {"portfolio_id": "text", "computed_seq": "int8", "changed_from": "date"}
"""Appended to by every calculation, and deleted from by those who follow: not among TABLES."""
