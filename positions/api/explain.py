"""Explaining figures over REST: the transactions, lots, prices and rates that one is made of, adding up to it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from portfolio.money import exact
from portfolio.problems import FieldError, InvalidContent, Unknown
from positions.api.explanation_serializers import ExplanationSerializer
from positions.checking.exceptions import open_exceptions
from positions.engine.holdings import HoldingKey, Kind
from positions.explaining.entries import FIGURES, OF_CASH, OF_SECURITIES, Question, explain_holding
from positions.explaining.listing import explanation_answer
from positions.explaining.whole import explained_portfolio
from positions.variants.asked import VARIANT, Reading, VariantQuery, reading, variant_query

OF_ONE_HOLDING = ("quantity",)
"""Figures that are not added up over holdings."""


class ExplainQuery(VariantQuery):
    """Whose figure: of a security, of the cash of a currency, or (neither) of the portfolio."""

    security_id = serializers.CharField(required=False)
    currency = serializers.CharField(required=False)


class Explanation(APIView):
    """A figure, and the parts that add up to it.

    Of a security, or of the cash of a currency, the parts are what each transaction changed of the figure; of its
    realised gain the disposals, of its market value and unrealised gain the open lots. Of a security with thousands of
    transactions they are what each day changed, with the address of its transactions. Of the portfolio (neither is
    named) they are its holdings, in base, each with the address of its own explanation.

    The latest parts are listed. Those before are one part with their sum, so that the parts always add up to the
    figure; `next` is the address of the explanation as of the last day that is left out, which lists them. Of a day
    with more parts than are listed the latest are listed and the rest stays one part; `next` is as of the day before.
    """

    @extend_schema(
        operation_id="explain",
        parameters=[
            OpenApiParameter("figure", str, OpenApiParameter.PATH, enum=FIGURES),
            OpenApiParameter("security_id", str, description="the figure of this security"),
            OpenApiParameter("currency", str, description="the figure of the cash of this currency"),
            *VARIANT,
        ],
        responses=ExplanationSerializer,
    )
    def get(self, request: Request, portfolio_id: str, figure: str) -> Response:
        if figure not in FIGURES:
            raise Unknown(f"{figure!r} is no figure that is explained; these are: {', '.join(FIGURES)}.")
        asked = variant_query(request, kind=ExplainQuery)
        key = _key(figure, asked.pop("security_id", None), asked.pop("currency", None))
        if key:
            return Response(
                _addressed(request, explain_holding(request.user, Question(portfolio_id, figure, key, **asked)))
            )
        with reading(request, portfolio_id, asked) as found, exact():
            return Response(_addressed(request, _of_portfolio(request, found, asked, figure)))


def _addressed(request: Request, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with addresses: of the parts before those listed (`next`), and of each day's transactions."""
    until = answer.pop("go_on_as_of")
    here = request.build_absolute_uri()
    transactions = reverse("portfolio-transactions", args=[answer["portfolio_id"]], request=request)
    for part in answer["parts"]:
        if part["kind"] == "DAY":
            of_day = {"security_id": part["security_id"], "start": part["date"], "end": part["date"]}
            part["explained_at"] = f"{transactions}?{urlencode(of_day)}"
    return {**answer, "next": replace_query_param(here, "as_of", until.isoformat()) if until else None}


def _key(figure: str, security_id: str | None, currency: str | None) -> HoldingKey | None:
    """The holding asked about. Raises InvalidContent."""
    if security_id and currency:
        raise _wrong("currency", "contradiction", "Name a security or a currency, not both.")
    if security_id and figure in OF_CASH:
        raise _wrong("security_id", "contradiction", f"The {figure} is that of a currency, or of the portfolio.")
    if currency and figure in OF_SECURITIES:
        raise _wrong("currency", "contradiction", f"The {figure} of cash is not explained: ask for its cash.")
    if figure in OF_ONE_HOLDING and not security_id:
        raise _wrong("security_id", "required", f"The {figure} is that of one security: name it.")
    if security_id:
        return HoldingKey(Kind.SECURITY, security_id)
    return HoldingKey(Kind.CASH, currency) if currency else None


def _wrong(name: str, code: str, detail: str) -> InvalidContent:
    return InvalidContent(detail, code=code, errors=[FieldError(f"/{name}", code, detail)])


def _of_portfolio(request: Request, found: Reading, asked: dict[str, Any], figure: str) -> dict[str, Any]:
    snapshot = found.snapshot()
    address = reverse("explain", args=[found.mark.portfolio_id, figure], request=request)
    then = {"as_of": found.as_of.isoformat()}
    if "known_at" in asked:
        then["known_at"] = found.known_at.isoformat().replace("+00:00", "Z")
    if "cost_method" in asked:
        then["cost_method"] = found.cost_method

    def link(key: HoldingKey) -> str:
        name = "security_id" if key.kind is Kind.SECURITY else "currency"
        return f"{address}?{urlencode({name: key.security_id, **then})}"

    return {
        **found.head(),
        "figure": figure,
        "scope": "PORTFOLIO",
        "security_id": None,
        "currency": snapshot.base_currency,
        "base_currency": snapshot.base_currency,
        **explanation_answer(explained_portfolio(figure, snapshot, link)),
        "price": None,
        "rate": None,
        **open_exceptions(found),
        "provisional": snapshot.provisional_portfolio,
    }
