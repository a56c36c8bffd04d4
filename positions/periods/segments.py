"""By what the holdings of a portfolio are put together: an attribute of their instruments, or each by itself.

Cash is a segment of its own, except by currency: there it stands with what is quoted in it. What an instrument does not
say is UNKNOWN_SEGMENT, never a guess. Attributes are those of today.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from portfolio.models import Instrument, SegmentBy
from positions.engine.holdings import HoldingKey, Kind

HOLDING = "holding"
DIVISIONS = (*SegmentBy.values, HOLDING)
CASH_SEGMENT = "cash"
UNKNOWN_SEGMENT = "unknown"
_CASH_PREFIX = "cash "
"""No security is called so: ids have no white space."""


def holding_name(key: HoldingKey) -> str:
    """A name for a holding that no other of its portfolio has."""
    return key.security_id if key.kind is Kind.SECURITY else f"{_CASH_PREFIX}{key.security_id}"


def named(by: str, name: str) -> dict[str, Any]:
    """What an answer calls the holding or the segment of a name: `security_id`, `currency`, or `segment`."""
    if by != HOLDING:
        return {"segment": name}
    is_cash = name.startswith(_CASH_PREFIX)
    return {"currency": name.removeprefix(_CASH_PREFIX)} if is_cash else {"security_id": name}


def segment_names(*, by: str, currencies: Mapping[HoldingKey, str]) -> Callable[[HoldingKey], str]:
    """The name of each holding's segment; `currencies` are those of all the holdings."""
    if by == HOLDING:
        return holding_name
    if by == SegmentBy.CURRENCY:
        return lambda key: currencies[key] or UNKNOWN_SEGMENT
    told = _attributes(by, [key.security_id for key in currencies if key.kind is Kind.SECURITY])

    def name_of(key: HoldingKey) -> str:
        return CASH_SEGMENT if key.kind is Kind.CASH else told.get(key.security_id) or UNKNOWN_SEGMENT

    return name_of


def _attributes(by: str, security_ids: Collection[str]) -> dict[str, str]:
    return dict(Instrument.objects.filter(security_id__in=security_ids).values_list("security_id", by))
