"""How an explanation looks, for the schema."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from positions.api.serializers import (
    DisposalSerializer,
    ExceptionSerializer,
    FigureField,
    LotSerializer,
    PendingSerializer,
)


class RateQuoteSerializer(serializers.Serializer[Any]):
    """A quote that a rate rests on."""

    from_currency = serializers.CharField()
    to_currency = serializers.CharField()
    rate_date = serializers.DateField()
    rate = FigureField()


class RateUsedSerializer(serializers.Serializer[Any]):
    """Units of `to_currency` for one unit of `from_currency`, and where that comes from."""

    from_currency = serializers.CharField()
    to_currency = serializers.CharField()
    rate = FigureField()
    source = serializers.ChoiceField(  # type: ignore[assignment]
        ["SAME", "DEALT", "DIRECT", "INVERSE", "CROSS"],
        allow_null=True,
        help_text="one currency; as dealt; a market quote, the inverse of one, two crossed; null where there is none",
    )
    rate_date = serializers.DateField(allow_null=True, help_text="of the quote; of a cross the older one's")
    stale = serializers.BooleanField()
    quotes = RateQuoteSerializer(many=True)


class PriceUsedSerializer(serializers.Serializer[Any]):
    """price = quoted_price / split_ratio, converted to the holding's currency where it was quoted in another."""

    price = FigureField()
    price_date = serializers.DateField()
    price_source = serializers.ChoiceField(["MARKET", "TRADE"])
    quoted_price = FigureField()
    quoted_currency = serializers.CharField()
    split_ratio = FigureField(help_text="units now for one unit when it was quoted")
    price_factor = FigureField()
    conversion = RateUsedSerializer(allow_null=True)
    transaction_id = serializers.CharField(allow_null=True, help_text="the own trade it is the price of")
    carried_from = serializers.CharField(allow_null=True, help_text="the symbol before, whose price it is")
    flags = serializers.ListField(child=serializers.CharField())


class ExplanationPartSerializer(serializers.Serializer[Any]):
    """One part: what it contributes, signed, and the facts of its kind."""

    kind = serializers.ChoiceField(
        ["TRANSACTION", "DAY", "DISPOSAL", "LOT", "HOLDING", "REVALUATION", "LEFT_OUT"],
        help_text="DAY: what all transactions of a day changed, of a security that has thousands; LEFT_OUT: the sum of"
        " the parts that are not listed; REVALUATION: of cash, what the rate of the day"
        " makes of its average cost",
    )
    date = serializers.DateField(help_text="the trade date; of a lot its acquisition")
    amount = FigureField(help_text="in the figure's own money, or units")
    amount_base = FigureField(allow_null=True)
    transaction_id = serializers.CharField(required=False, help_text="of a lot: what opened it")
    transaction_type = serializers.CharField(required=False)
    security_id = serializers.CharField(required=False, allow_null=True)
    target_security_id = serializers.CharField(required=False, allow_null=True)
    quantity = FigureField(required=False, allow_null=True)
    price = FigureField(required=False, allow_null=True)
    gross = FigureField(required=False)
    fee = FigureField(required=False)
    tax = FigureField(required=False)
    currency = serializers.CharField(required=False, help_text="the money of the trade; of a holding its own")
    target_currency = serializers.CharField(required=False)
    target_amount = FigureField(required=False)
    rate = RateUsedSerializer(required=False, allow_null=True, help_text="to base")
    conversion = RateUsedSerializer(required=False, allow_null=True, help_text="to the holding's own money")
    acquisition_rate = RateUsedSerializer(
        required=False, allow_null=True, help_text="to base on the acquisition date that a TRANSFER_IN gives its lot"
    )
    disposal = DisposalSerializer(required=False)
    lot = LotSerializer(required=False)
    market_value = FigureField(required=False)
    market_value_base = FigureField(required=False)
    fx_gain_base = FigureField(required=False, help_text="of a lot: how much of its unrealised gain is exchange")
    local = FigureField(required=False, help_text="of a holding: the amount in its own money")
    explained_at = serializers.URLField(
        required=False, help_text="of a holding: its own explanation; of a day its transactions"
    )
    count = serializers.IntegerField(required=False, help_text="LEFT_OUT: how many parts")
    last_date = serializers.DateField(required=False, help_text="LEFT_OUT: of the last of them")


class ExplanationSerializer(serializers.Serializer[Any]):
    """A figure and its parts: the sum of `amount` is `value`, that of `amount_base` is `value_base`."""

    portfolio_id = serializers.CharField()
    as_of = serializers.DateField()
    known_at = serializers.DateTimeField(help_text="the moment used")
    cost_method = serializers.CharField(help_text="the cost method used")
    pending = PendingSerializer(
        allow_null=True, help_text="while not null, the stored positions may not yet say what is explained here"
    )
    figure = serializers.CharField()
    scope = serializers.ChoiceField(["SECURITY", "CASH", "PORTFOLIO"])
    security_id = serializers.CharField(allow_null=True)
    currency = serializers.CharField(allow_null=True, help_text="of value and amount; null where they are units")
    base_currency = serializers.CharField()
    value = FigureField()
    value_base = FigureField(allow_null=True)
    parts_total = FigureField()
    parts_total_base = FigureField(allow_null=True)
    parts_max = serializers.IntegerField(help_text="so many parts are listed, the latest; the others are one sum")
    parts_left_out = serializers.IntegerField()
    next = serializers.URLField(
        allow_null=True,
        help_text="the explanation as of the last day that is left out, which lists the parts before these; of a day"
        " with more parts than are listed the rest stays one part, and this is as of the day before it; null of lots,"
        " and where no earlier day is left out",
    )
    parts = ExplanationPartSerializer(many=True)
    price = PriceUsedSerializer(allow_null=True, help_text="what lots are valued at")
    rate = RateUsedSerializer(allow_null=True, help_text="to base, of the day valued")
    exceptions = ExceptionSerializer(many=True, help_text="transactions left out, or booked otherwise than they asked")
    more_exceptions = serializers.BooleanField(help_text="there are more than are listed")
    provisional = serializers.BooleanField(help_text="rests on attributes that have not arrived yet")
