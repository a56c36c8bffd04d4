"""What an answer says of calculations that are on their way: since when, and why the last one failed, if it did."""

from __future__ import annotations

import datetime

from positions.queries import Pending


def pending_answer(pending: Pending | None) -> dict[str, str] | None:
    """`pending` of the contract, the moment in UTC (RFC 3339); None where all is calculated."""
    if pending is None:
        return None
    since = pending.since.astimezone(datetime.UTC).isoformat()
    return {"since": since.removesuffix("+00:00") + "Z", "error": pending.error}
