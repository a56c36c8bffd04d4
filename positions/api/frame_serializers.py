"""What every answer about a portfolio carries, for the schema: see `positions.periods.frames`."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from portfolio.models import CashMode
from positions.api.serializers import ExceptionSerializer, FigureField, PendingSerializer


class HoldingRemarkSerializer(serializers.Serializer[Any]):
    """What is missing or doubtful in a figure of a holding: a code, and the security or the currency's cash."""

    code = serializers.CharField()
    security_id = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)


class DaysRemarkSerializer(serializers.Serializer[Any]):
    """What is missing or doubtful in the values of days: on how many, and between which."""

    code = serializers.CharField()
    days = serializers.IntegerField()
    first = serializers.DateField()
    last = serializers.DateField()


class ValuedAtSerializer(serializers.Serializer[Any]):
    """Which price and rate a holding was valued at."""

    price = FigureField()
    price_date = serializers.DateField(allow_null=True)
    price_source = serializers.ChoiceField(["MARKET", "TRADE"], allow_null=True)
    fx_rate = FigureField()


class DayPricesSerializer(serializers.Serializer[Any]):
    """How many securities were valued at a price of the market, of an own trade, at none, and how old these are."""

    market = serializers.IntegerField()
    trade = serializers.IntegerField()
    missing = serializers.IntegerField()
    stale = serializers.IntegerField(help_text="of more than 5 trading days before, among those of market and trade")
    oldest_date = serializers.DateField(allow_null=True)


class DayRateSerializer(serializers.Serializer[Any]):
    """What one unit of a currency held was worth in base; a crossed rate is of the day of its older quote."""

    currency = serializers.CharField()
    fx_rate = FigureField()
    rate_date = serializers.DateField(allow_null=True)


class DaySourcesSerializer(serializers.Serializer[Any]):
    """The prices and rates of a day that holdings were valued at."""

    date = serializers.DateField()
    prices = DayPricesSerializer()
    rates = DayRateSerializer(many=True)


class FrameSerializer(serializers.Serializer[Any]):
    """Which portfolio, of which day, from which knowledge, by which method; and what was not booked as asked."""

    portfolio_id = serializers.CharField()
    as_of = serializers.DateField(help_text="the end of this day")
    known_at = serializers.DateTimeField(help_text="the moment used")
    cost_method = serializers.CharField(help_text="the cost method used")
    pending = PendingSerializer(allow_null=True)
    base_currency = serializers.CharField()
    cash_mode = serializers.ChoiceField(CashMode.values, help_text="whether cash is among the holdings")
    provisional = serializers.BooleanField(help_text="the portfolio's settings have not arrived: defaults were taken")
    exceptions = ExceptionSerializer(many=True, help_text="the open ones up to the day, the first 1,000")
    more_exceptions = serializers.BooleanField(help_text="there are more: /data-quality/ lists all of them")
    more_remarks = serializers.BooleanField(help_text="there are more than are listed, those of what is missing first")


class HoldingsAnswerSerializer(FrameSerializer):
    """An answer about what is held at the end of a day."""

    remarks = HoldingRemarkSerializer(many=True, help_text="100 at most")
    sources = DaySourcesSerializer(many=True, help_text="of the day")


class PeriodFrameSerializer(FrameSerializer):
    """The frame of an answer about the period (start, end]; money is in the portfolio's base currency."""

    period = serializers.CharField(allow_null=True, help_text="the name of the period, where it was asked for by name")
    start = serializers.DateField(help_text="its value opens the period")
    end = serializers.DateField()


class DaysAnswerSerializer(PeriodFrameSerializer):
    """An answer that is made from the values of days: its remarks say on which days they are doubtful or missing."""

    remarks = DaysRemarkSerializer(many=True)
