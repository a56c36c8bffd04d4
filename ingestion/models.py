"""The answers that are given again: one row for each Idempotency-Key that a user has sent to a path."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q


class IdempotencyKey(models.Model):
    """A claim on a key while its request is in hand, then the answer.

    A claim is a lease: one whose process was killed can be taken over after `leased_until`. `claim` tells the holders
    apart, so that one who comes too late changes nothing. `fingerprint` is the SHA-256 of the body and its type.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    path = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    claim = models.UUIDField()
    claimed_at = models.DateTimeField()
    leased_until = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, help_text="of the answer; none while the request is in hand")
    answer = models.BinaryField(null=True, help_text="the answer's JSON")

    class Meta:
        db_table = "idempotency_keys"
        constraints = [
            models.UniqueConstraint(fields=["user", "path", "key"], name="a_key_is_claimed_once_a_user_and_path"),
            models.CheckConstraint(
                condition=Q(status=None, answer=None) | Q(status__isnull=False, answer__isnull=False),
                name="an_answer_has_a_status",
            ),
        ]
        indexes = [models.Index(fields=["claimed_at"], name="idempotency_keys_by_age")]

    def __str__(self) -> str:
        return f"{self.key} at {self.path}"
