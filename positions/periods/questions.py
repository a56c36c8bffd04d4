"""Which period a question is about: two dates, or a standard period by its name; and how it is to be measured."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from portfolio.dates import DAYS_MAX, current_day
from portfolio.money import is_currency
from portfolio.reading import OneOfField
from positions.analytics.performance import SeriesOf
from positions.analytics.periods import PERIODS, Period, standard_periods
from positions.analytics.returns import FlowTiming
from positions.variants.asked import COST_METHOD, KNOWN_AT, VariantQuery

DAILY_SERIES_DAYS_MAX = 1_096
"""Three years: of a longer period a daily series is only given to who asks for it."""
GROUP_PORTFOLIOS_MAX = 50
"""So many portfolios are read for one answer."""

PERIOD = (
    OpenApiParameter("start", datetime.date, description="the period is (start, end]: this day's value opens it"),
    OpenApiParameter("end", datetime.date, description="its last day; today where it is left out"),
    OpenApiParameter(
        "period",
        str,
        enum=PERIODS,
        description="in place of `start`: to date in the month, quarter or year; so many months or years back; or since"
        " the day before the first transaction, which is what is answered where neither is given",
    ),
    KNOWN_AT,
    COST_METHOD,
)
MEASURE = (
    OpenApiParameter(
        "flow_timing",
        str,
        enum=[timing.value for timing in FlowTiming],
        description="when a day's flows work: inflows from its start and outflows to its end, both from its start, or"
        " both from its end",
    ),
    OpenApiParameter("gross", bool, description="before fees, those of trades among them"),
    OpenApiParameter(
        "series",
        str,
        enum=[of.value for of in SeriesOf],
        description="which days `series` has: all, the ends of months, or none; where it is left out all, and of"
        f" periods beyond {DAILY_SERIES_DAYS_MAX} days the ends of months",
    ),
)


class PeriodQuery(VariantQuery):
    """Which period, from which knowledge, by which cost method."""

    as_of = None  # type: ignore[assignment]
    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)
    period = OneOfField(PERIODS, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The end filled in, as `as_of` too: the day up to which a variant is booked. Raises ValidationError."""
        today = current_day()
        end = attrs.get("end") or today
        if end > today:
            raise serializers.ValidationError({"end": [f"is after today, {today}: there are no values yet"]})
        start = attrs.get("start")
        if start and start > end:
            raise serializers.ValidationError({"start": [f"is after the end of the period, {end}"]})
        if start and (end - start).days > DAYS_MAX:
            raise serializers.ValidationError({"start": [f"is more than {DAYS_MAX} days before {end}"]})
        return {**attrs, "end": end, "as_of": end}


class PerformanceQuery(PeriodQuery):
    """How it is to be measured too, of what part of the portfolio, and against what."""

    flow_timing = OneOfField([one.value for one in FlowTiming], default=FlowTiming.START_IN_END_OUT.value)
    gross = serializers.BooleanField(default=False)
    security_id = serializers.CharField(required=False, max_length=64)
    asset_class = serializers.CharField(required=False, max_length=64)
    benchmark = serializers.CharField(required=False, max_length=64)
    series = OneOfField([one.value for one in SeriesOf], required=False)


class GroupQuery(PerformanceQuery):
    """Of which portfolios together, and in which currency."""

    known_at = None  # type: ignore[assignment]
    cost_method = None  # type: ignore[assignment]
    security_id = None  # type: ignore[assignment]
    asset_class = None  # type: ignore[assignment]
    portfolio_id = serializers.ListField(
        child=serializers.CharField(max_length=64), min_length=1, max_length=GROUP_PORTFOLIOS_MAX
    )
    currency = serializers.CharField(required=False, max_length=10)

    def validate_portfolio_id(self, value: list[str]) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(value))

    def validate_currency(self, value: str) -> str:
        """Raises ValidationError."""
        if not is_currency(value):
            raise serializers.ValidationError("is not a currency")
        return value


@dataclass(frozen=True, slots=True)
class AskedPeriod:
    """The period asked about, and its name, if it was asked for by name."""

    name: str | None
    period: Period


def asked_period(asked: dict[str, Any], first_transaction: datetime.date | None) -> AskedPeriod:
    """The period; without any transaction up to its end, the one since the first is empty. Raises ValidationError."""
    if asked.get("start"):
        return AskedPeriod(None, Period(asked["start"], asked["end"]))
    name, end = asked.get("period") or "ITD", asked["end"]
    period = standard_periods(end, first_transaction=first_transaction).get(name) or Period(end, end)
    if period.days > DAYS_MAX:
        detail = f"begins more than {DAYS_MAX} days before {end}: say a start"
        raise serializers.ValidationError({"period": [detail]})
    return AskedPeriod(name, period)


def asked_series(asked: dict[str, Any], period: Period) -> SeriesOf:
    """Which days the series of the period has."""
    if asked.get("series"):
        return SeriesOf(asked["series"])
    return SeriesOf.DAILY if period.days <= DAILY_SERIES_DAYS_MAX else SeriesOf.MONTHLY
