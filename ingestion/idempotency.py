"""The same request twice: `Idempotency-Key`.

A key belongs to a user and a path. The first request claims it, does its work and leaves its answer; a repeat with the
same body gets that answer again, with another body a conflict. A claim is a lease, so that a process that was killed
holds nobody up for long. An answer of 5xx is not kept: its outcome is unknown, and a repeat must be free to find out.

Nothing here makes a repeat safe: it is so anyway, since a transaction is known by its id and version. This only makes
the second answer equal to the first.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import re
import uuid
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import QuerySet

from ingestion.body import Body
from ingestion.models import IdempotencyKey
from portfolio.problems import Conflict, Malformed

_KEY = re.compile(r"[\x20-\x7e]{1,255}")
SWEEP_EVERY_CLAIMS = 100
SWEPT_ROWS_MAX = 1000
_claims = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that is ours to answer."""

    row_id: int
    claim: uuid.UUID


@dataclass(frozen=True, slots=True)
class Kept:
    """The first answer."""

    status: int
    answer: bytes


def claim_or_answer(*, user: User, path: str, key: str, body: Body, now: datetime.datetime) -> Claim | Kept:
    """The claim on the key, or the answer its first request was given.

    Raises Malformed for a key that is none; Conflict where another body came with the key before, or the first request
    is still in hand (then with Retry-After: the end of its lease at the latest).
    """
    if not _KEY.fullmatch(key):
        raise Malformed("Idempotency-Key must be 1 to 255 printable ASCII characters.")
    if next(_claims) % SWEEP_EVERY_CLAIMS == 0:
        sweep(now=now)
    fingerprint = hashlib.sha256(b"\0".join((body.media_type.encode(), body.encoding.encode(), body.raw))).digest()
    fresh = {
        "fingerprint": fingerprint,
        "claim": uuid.uuid4(),
        "claimed_at": now,
        "leased_until": now + datetime.timedelta(seconds=settings.IDEMPOTENCY_LEASE_S),
    }
    row, created = IdempotencyKey.objects.get_or_create(user=user, path=path, key=key, defaults=fresh)
    if created:
        return Claim(row.pk, row.claim)
    if row.claimed_at <= now - _kept_for():
        return _take_over(row, {**fresh, "status": None, "answer": None})
    if bytes(row.fingerprint) != fingerprint:
        raise Conflict("This Idempotency-Key came before with another body.", code="idempotency_key_reused")
    if row.status is not None:
        assert row.answer is not None, "an answer has a status"
        return Kept(row.status, bytes(row.answer))
    if row.leased_until > now:
        raise _in_hand((row.leased_until - now).total_seconds())
    return _take_over(row, fresh)


def keep(claim: Claim, *, status: int, answer: bytes) -> None:
    """Leave the answer for repeats; nothing where somebody took the claim over meanwhile."""
    _held(claim).update(status=status, answer=answer)


def let_go(claim: Claim) -> None:
    """Give the key up: the request came to no answer worth keeping."""
    _held(claim).delete()


def sweep(*, now: datetime.datetime) -> None:
    """Delete some of the keys that are past their time; every process does so now and then."""
    past = IdempotencyKey.objects.filter(claimed_at__lte=now - _kept_for())
    oldest = list(past.order_by("claimed_at").values_list("pk", flat=True)[:SWEPT_ROWS_MAX])
    past.filter(pk__in=oldest).delete()


def _held(claim: Claim) -> QuerySet[IdempotencyKey]:
    return IdempotencyKey.objects.filter(pk=claim.row_id, claim=claim.claim, status=None)


def _take_over(row: IdempotencyKey, values: dict[str, object]) -> Claim:
    # Compare and set: of several who find the same lease run out, one gets it.
    if not IdempotencyKey.objects.filter(pk=row.pk, claim=row.claim, status=row.status).update(**values):
        raise _in_hand(settings.RETRY_AFTER_S)
    return Claim(row.pk, values["claim"])  # type: ignore[arg-type]


def _in_hand(remaining_s: float) -> Conflict:
    return Conflict(
        "The first request with this Idempotency-Key is still in hand.",
        code="idempotency_key_in_use",
        retry_after_s=max(1, min(settings.RETRY_AFTER_S, round(remaining_s))),
    )


def _kept_for() -> datetime.timedelta:
    return datetime.timedelta(hours=settings.IDEMPOTENCY_KEPT_HOURS)
