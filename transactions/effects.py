"""What the versions of a transaction have caused. The ledger does not know: an app above it tells, which the settings
name.
"""

from __future__ import annotations

from typing import Any, Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

Effects = dict[int, dict[str, Any] | None]


class Teller(Protocol):
    """What `settings.TRANSACTION_EFFECTS` names."""

    def __call__(self, *, portfolio_id: str, transaction_id: str) -> Effects: ...


def effects_of(*, portfolio_id: str, transaction_id: str) -> Effects:
    """What each version of the transaction caused, by version; None where that is not told. Raises TooMany."""
    told: Teller = import_string(settings.TRANSACTION_EFFECTS)
    return told(portfolio_id=portfolio_id, transaction_id=transaction_id)


def effect_lines(effect: dict[str, Any]) -> list[tuple[str, str, str]]:
    """An effect as lines to read: what of, what became otherwise, and by how much or which."""
    lines = []
    for of in (*effect["holdings"], *effect["cash"]):
        name = f"{of['security_id']} in {of['currency']}" if "security_id" in of else f"cash {of['currency']}"
        changes = {figure: change for figure, change in of.items() if figure not in ("security_id", "currency")}
        for figure, change in changes.items():
            if change != "0":
                lines.append((name, _words(figure), change if isinstance(change, str) else change["unavailable"]))
    for kind in ("disposals_made", "disposals_unmade"):
        for one in effect[kind]["listed"]:
            pieces = f"{one['quantity']} of {one['opening_transaction_id']} by {one['closing_transaction_id']}"
            lines.append((one["security_id"], _words(kind), pieces))
    for kind in ("exceptions_opened", "exceptions_healed"):
        listed = effect[kind]["listed"]
        lines += [(one["transaction_id"], _words(kind), f"{one['code']}: {one['detail']}") for one in listed]
    return lines


def _words(name: str) -> str:
    return name.replace("_", " ")


# --- how it looks, for the schema ---------------------------------------------------------------------------------

_CHANGE = {
    "oneOf": [
        {"type": "string", "format": "decimal"},
        {
            "type": "object",
            "properties": {"unavailable": {"type": "string"}, "detail": {"type": "string"}},
            "required": ["unavailable", "detail"],
        },
    ]
}
_BASE_SUMS = ("income_base", "fees_base", "taxes_base")
_OF_SECURITY = ("quantity", "cost_basis", "cost_basis_base", "realized_gain", "realized_gain_base", "income")


def _changes(names: tuple[str, ...], *figures: str) -> dict[str, Any]:
    named = {name: {"type": "string"} for name in names}
    return {"type": "array", "items": {"type": "object", "properties": named | dict.fromkeys(figures, _CHANGE)}}


def _few(description: str) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "properties": {"count": {"type": "integer"}, "listed": {"type": "array", "items": {"type": "object"}}},
    }


@extend_schema_field(
    {
        "type": ["object", "null"],
        "properties": {
            "holdings": _changes(("security_id", "currency"), *_OF_SECURITY, "realized_fx_gain_base", *_BASE_SUMS),
            "cash": _changes(("currency",), "balance", "income", *_BASE_SUMS, "inflow_base", "outflow_base"),
            "disposals_made": _few("disposals that there were not before; the first hundred are listed"),
            "disposals_unmade": _few("disposals that there are no more"),
            "exceptions_opened": _few("transactions that are left out, or booked otherwise than they asked, since"),
            "exceptions_healed": _few("transactions that are so no more"),
        },
    }
)
class EffectField(serializers.Field[Any, Any, Any, Any]):
    """What became otherwise, as changes: in the whole history as it counts now, but for this transaction."""

    def to_representation(self, value: Any) -> Any:
        return value
