"""Is the process alive, can it do its work, and what has it done: /healthz, /readyz, /metrics.

Readiness asks everything the process needs, side by side and each within READINESS_TIMEOUT_S: whatever hangs counts as
away. Reasons that might hold an address or a name stay in the log.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from portfolio.models import StoppedWorker
from portfolio.streaming.kafka import broker_is_ready
from portfolio.streaming.messages import TOPICS

log = logging.getLogger(__name__)

MIGRATIONS_NAMED_MAX = 10


@dataclass(frozen=True, slots=True)
class Check:
    """What one question found."""

    ok: bool
    detail: str = ""


@require_safe
def healthz(_request: HttpRequest) -> HttpResponse:
    """200 while the process answers."""
    return JsonResponse({"alive": True})


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """200 where everything the process needs is there, else 503; and what each question found."""
    asked = {name: _pool.submit(_asked, name, question) for name, question in QUESTIONS.items()}
    found = {name: _answered(future) for name, future in asked.items()}
    ready = all(check.ok for check in found.values())
    checks = {name: {"ok": check.ok, "detail": check.detail} for name, check in found.items()}
    return JsonResponse({"ready": ready, "checks": checks}, status=200 if ready else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text; of all processes together where PROMETHEUS_MULTIPROC_DIR names their common directory."""
    registry = REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)
    encode, content_type = choose_encoder(request.META.get("HTTP_ACCEPT", ""))
    return HttpResponse(encode(registry), content_type=content_type)


# --- the questions ------------------------------------------------------------------------------------------------


def _database() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Check(ok=True)


def _migrations() -> Check:
    executor = MigrationExecutor(connection)
    missing = [
        f"{migration.app_label}.{migration.name}"
        for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())
    ]
    named = ", ".join(missing[:MIGRATIONS_NAMED_MAX])
    return Check(not missing, f"{len(missing)} not applied: {named}; run manage.py migrate" if missing else "")


def _broker() -> Check:
    ok = broker_is_ready(TOPICS, timeout_s=settings.READINESS_TIMEOUT_S * 0.9)
    return Check(ok, "" if ok else "does not answer, or lacks topics: run manage.py ensure_topics")


def _workers() -> Check:
    stopped = sorted(StoppedWorker.objects.values_list("consumer_group", flat=True))
    return Check(not stopped, f"stopped and waiting for a person: {', '.join(stopped)}" if stopped else "")


QUESTIONS: dict[str, Callable[[], Check]] = {
    "database": _database,
    "migrations": _migrations,
    "broker": _broker,
    "workers": _workers,
}
# Twice as many threads as questions: one that hangs leaves room for the next time they are asked.
_pool = ThreadPoolExecutor(max_workers=2 * len(QUESTIONS), thread_name_prefix="readyz")


def _asked(name: str, question: Callable[[], Check]) -> Check:
    try:
        return question()
    except Exception as error:
        log.warning("readyz: %s failed", name, exc_info=True)
        return Check(ok=False, detail=f"failed: {type(error).__name__}")
    finally:
        connection.close()


def _answered(future: Future[Check]) -> Check:
    try:
        return future.result(timeout=settings.READINESS_TIMEOUT_S)
    except TimeoutError:
        future.cancel()
        return Check(ok=False, detail=f"no answer within {settings.READINESS_TIMEOUT_S:g} s")
