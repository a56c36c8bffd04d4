"""What one version of a transaction changed in the one before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transactions.models import Transaction

OF_THE_RECORDING = frozenset(
    {
        "id",
        "portfolio_id",
        "transaction_id",
        "version",
        "submitted",
        "submitted_by",
        "content_hash",
        "change_seq",
        "recorded_at",
    }
)
"""Fields that are no content: which version it is, and who recorded it when."""
CONTENT = tuple(f.name for f in Transaction._meta.concrete_fields if f.name not in OF_THE_RECORDING)


@dataclass(frozen=True, slots=True)
class Difference:
    """A field whose content two versions do not share."""

    field: str
    before: Any
    after: Any


def differences(before: Transaction | None, after: Transaction) -> list[Difference]:
    """What `after` changed, in the order of the fields; nothing where it is the first version."""
    if before is None:
        return []
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in CONTENT)
    return [Difference(name, old, new) for name, old, new in pairs if old != new]
