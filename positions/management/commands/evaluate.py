"""`manage.py evaluate FILE`: what-if answers, one JSON request a line in, one answer a line out.

It needs neither database nor broker.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from portfolio.dates import current_day
from portfolio.problems import field_errors
from portfolio.validation import Refused
from positions.evaluation import evaluate


class Command(BaseCommand):
    """Evaluate histories without storing them."""

    help = "Evaluates the requests of a file (- for standard input), one a line, and prints one answer a line."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", help="a file of JSON requests, one a line; - reads standard input")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["file"] == "-":
            self._answer(sys.stdin.buffer)
        else:
            try:
                requests = Path(options["file"]).open("rb")  # noqa: SIM115 - closed below
            except OSError as error:
                raise CommandError(f"{options['file']}: {error.strerror}") from error
            with requests:
                self._answer(requests)

    def _answer(self, requests: BinaryIO) -> None:
        for line in iter(requests.readline, b""):
            if line.strip():
                sys.stdout.buffer.write(msgspec.json.encode(_answer(line)) + b"\n")
                sys.stdout.buffer.flush()


def _answer(line: bytes) -> dict[str, Any]:
    try:
        return evaluate(line, today=current_day())
    except Refused as refusal:
        errors = field_errors(refusal.problems)
        return {"refused": {"title": "Invalid content", "status": 422, "detail": str(refusal), "errors": errors}}
