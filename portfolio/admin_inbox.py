"""The inbox in the admin: what could not be taken, the workers that stopped themselves, and what a person can do."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from portfolio.admin_tools import ReadOnlyAdmin, TypedFilter, pretty_json
from portfolio.api_serializers import readable_bytes
from portfolio.models import DeadLetter, StoppedWorker
from portfolio.operations import LetterRefused, discard_dead_letter, resume_worker, retry_dead_letter
from portfolio.streaming.broker import BrokerUnavailable
from portfolio.streaming.kafka import shared_producer


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """The inbox: records that could not be taken. Retrying publishes a record again, discarding lets it be."""

    ordering = ("-pk",)
    list_display = ("code", "status", "short_reason", "portfolio_id", "topic", "partition", "offset", "recorded_at")
    list_filter = ("status", ("code", TypedFilter), ("topic", TypedFilter), ("portfolio_id", TypedFilter))
    fields = (
        "status",
        "code",
        "reason",
        "what_it_met",
        "portfolio_id",
        "record_key",
        "record_value",
        "headers",
        "topic",
        "topic_id",
        "partition",
        "offset",
        "consumer_group",
        "recorded_at",
        "resolved_at",
        "resolved_by",
    )
    readonly_fields = ("what_it_met", "record_key", "record_value")

    actions = ("retry", "discard")

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        """Whether the person may settle letters: who may change them, which nobody does by hand."""
        return request.user.has_perm("portfolio.change_deadletter")

    @admin.action(description="Publish the records again", permissions=["resolve"])
    def retry(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        self._settle(request, letters, partial(retry_dead_letter, producer=shared_producer()))

    @admin.action(description="Let the records be", permissions=["resolve"])
    def discard(self, request: HttpRequest, letters: QuerySet[DeadLetter]) -> None:
        self._settle(request, letters, discard_dead_letter)

    def _settle(self, request: HttpRequest, letters: QuerySet[DeadLetter], settle: Callable[..., object]) -> None:
        settled = 0
        for letter in letters.order_by("pk"):
            try:
                settle(letter=letter, by=request.user.get_username(), at=timezone.now())
            except LetterRefused as refused:
                self.message_user(request, str(refused), messages.WARNING)
            except BrokerUnavailable as away:
                self.message_user(request, f"The broker does not answer, the rest is left open: {away}", messages.ERROR)
                break
            else:
                settled += 1
        self.message_user(request, f"{settled} settled.", messages.SUCCESS if settled else messages.INFO)

    @admin.display(description="reason")
    def short_reason(self, letter: DeadLetter) -> str:
        return letter.reason[:120]

    @admin.display(description="what it met")
    def what_it_met(self, letter: DeadLetter) -> SafeString | None:
        return None if letter.context is None else pretty_json(letter.context)

    @admin.display(description="key")
    def record_key(self, letter: DeadLetter) -> str:
        return _readable(letter.key)

    @admin.display(description="value")
    def record_value(self, letter: DeadLetter) -> str:
        return _readable(letter.value)


@admin.register(StoppedWorker)
class StoppedWorkerAdmin(ReadOnlyAdmin):
    """Consumer groups that stopped themselves and stay down until a person lets them go on."""

    list_display = ("consumer_group", "reason", "stopped_at")
    actions = ("resume",)

    def has_resume_permission(self, request: HttpRequest) -> bool:
        """Whether the person may let workers go on: who may change these rows, which nobody does by hand."""
        return request.user.has_perm("portfolio.change_stoppedworker")

    @admin.action(description="Let them start again", permissions=["resume"])
    def resume(self, request: HttpRequest, stopped: QuerySet[StoppedWorker]) -> None:
        for worker in stopped:
            resume_worker(group=worker.consumer_group)
            self.message_user(request, f"May start again: {worker.consumer_group}", messages.SUCCESS)


def _readable(raw: bytes | memoryview | None) -> str:
    """JSON a field a line, other text as it is, bytes that are no text in base64."""
    text, encoding = readable_bytes(raw)
    if text is None:
        return "none"
    try:
        return pretty_json(json.loads(text))
    except ValueError:
        return format_html('{}<pre class="json">{}</pre>', "" if encoding == "utf-8" else f"{encoding}:", text)
