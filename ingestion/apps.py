"""The door's start: a rate that cannot be read stops it, with a sentence."""

from __future__ import annotations

import re

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class IngestionConfig(AppConfig):
    """The app."""

    name = "ingestion"

    def ready(self) -> None:
        """Raises ImproperlyConfigured."""
        rate = settings.INGEST_RATE_LIMIT
        if rate and not re.fullmatch(r"[1-9]\d*/(s|sec|second|m|min|minute|h|hour|d|day)", rate):
            raise ImproperlyConfigured(f"INGEST_RATE_LIMIT is {rate!r}; write it as 100/second, or leave it empty.")
