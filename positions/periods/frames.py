"""What every answer about a portfolio's period has in common: how it is read, and what stands at its head."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rest_framework import serializers

from portfolio.models import Portfolio
from portfolio.queries import AnyUser
from positions.analytics.periods import Period
from positions.api.serializers import PendingSerializer
from positions.periods.days import first_transaction_of, stored_days
from positions.periods.questions import asked_period
from positions.variants.asked import Reading, reading_of


class PeriodAnswerSerializer(serializers.Serializer[Any]):
    """The head of an answer about the period (start, end]; money is in the portfolio's base currency."""

    portfolio_id = serializers.CharField()
    as_of = serializers.DateField(help_text="the end of the period")
    known_at = serializers.DateTimeField(help_text="the moment used")
    cost_method = serializers.CharField(help_text="the cost method used")
    pending = PendingSerializer(allow_null=True)
    base_currency = serializers.CharField()
    period = serializers.CharField(allow_null=True, help_text="the name of the period, where it was asked for by name")
    start = serializers.DateField()
    end = serializers.DateField()


@dataclass(frozen=True, slots=True)
class PeriodReading:
    """A portfolio, read for a period."""

    found: Reading
    name: str | None
    period: Period

    def head(self, *, of_days: bool = False) -> dict[str, Any]:
        """What the answer begins with. `of_days`: it is made from daily values, which may be on their way too."""
        variant, state = self.found.variant, self.found.state
        pending = self.found.pending if variant or not of_days else stored_days(self.found).pending
        return {
            **self.found.head(),
            "pending": PendingSerializer(pending).data if pending else None,
            "base_currency": variant.terms.base_currency if variant else state.base_currency,
            "period": self.name,
            "start": self.period.start,
            "end": self.period.end,
        }

    def benchmark_id(self, asked: str | None) -> str | None:
        """The benchmark asked for, or else the portfolio's own, if it names one."""
        if asked:
            return asked
        settings = Portfolio.objects.filter(portfolio_id=self.found.mark.portfolio_id)
        return settings.values_list("benchmark_security_id", flat=True).first()


@contextmanager
def reading_period(user: AnyUser, portfolio_id: str, asked: dict[str, Any]) -> Iterator[PeriodReading]:
    """The portfolio and the period that a checked `PeriodQuery` asks for.

    Raises what `reading_of` does, and rest_framework's ValidationError.
    """
    with reading_of(user, portfolio_id, asked, every_day=True) as found:
        of = asked_period(asked, None if asked.get("start") else first_transaction_of(found))
        yield PeriodReading(found, of.name, of.period)
