"""Serializers are the submission types, seen by Django REST Framework."""

from __future__ import annotations

import msgspec
import pytest
from django.http import QueryDict
from rest_framework import serializers

from portfolio.serializers import ExactDecimalField, list_serializer_for, serializer_for
from portfolio.streaming.messages import (
    Submission,
    SubmittedBenchmarkWeight,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
)
from portfolio.transaction_types import TRANSACTION_TYPES

TYPES = [
    SubmittedTransaction,
    SubmittedPortfolio,
    SubmittedInstrument,
    SubmittedPrice,
    SubmittedRate,
    SubmittedBenchmarkWeight,
]


@pytest.mark.parametrize("submission_type", TYPES)
def test_every_field_is_there_with_its_need_and_its_default(submission_type: type[Submission]):
    fields = serializer_for(submission_type)().fields
    assert tuple(fields) == submission_type.__struct_encode_fields__
    for field in msgspec.structs.fields(submission_type):
        assert fields[field.encode_name].required == field.required
        if field.default not in (msgspec.NODEFAULT, None, ()):
            assert fields[field.encode_name].default == field.default


def test_a_field_tells_what_it_wants():
    fields = serializer_for(SubmittedTransaction)().fields
    assert fields["version"].help_text == "whole number from 1; the highest version counts"
    assert fields["transaction_type"].choices.keys() == TRANSACTION_TYPES.keys()  # type: ignore[attr-defined]
    assert isinstance(fields["quantity"], ExactDecimalField)
    assert fields["note"].max_length == 1000  # type: ignore[attr-defined]
    assert isinstance(fields["lots"], serializers.ListSerializer)


def test_validation_is_the_doors():
    wrong = serializer_for(SubmittedPrice)(data={"security_id": "A", "price": "-1", "currency": "QQQ"})
    assert not wrong.is_valid()
    assert wrong.errors == {
        "price_date": ["is required"],
        "price": ["must not be negative"],
        "currency": ["QQQ is neither an ISO 4217 code nor one allowed here"],
    }


def test_a_form_is_read_as_the_record_it_spells():
    form = serializer_for(SubmittedPortfolio)(data=QueryDict("portfolio_id=P1&base_currency=EUR&version=2&name="))
    assert form.is_valid(), form.errors
    assert form.validated_data == SubmittedPortfolio(portfolio_id="P1", base_currency="EUR", version=2)


def test_what_is_left_out_stays_left_out():
    assert serializer_for(SubmittedPrice)(instance={"price": "1.50"}).data == {"price": "1.50"}
    listed = list_serializer_for(SubmittedPrice, "market_prices")(instance={"market_prices": [{"price": "1.50"}]})
    assert listed.data == {"market_prices": [{"price": "1.50"}]}


def test_a_submission_is_shown_whole():
    shown = serializer_for(SubmittedPortfolio)(instance=SubmittedPortfolio(portfolio_id="P1", base_currency="EUR")).data
    assert shown["portfolio_id"] == "P1"
    assert shown["base_currency"] == "EUR"
