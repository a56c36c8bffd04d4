"""POST /ingest/..: parse, one call, answer.

201 is given only after the broker has acknowledged. A single transaction that is refused gets a problem of its own; of
a list every record is answered for itself, by its place.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import cast

from django.conf import settings
from django.http import QueryDict
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import entities, formats, schema
from ingestion.body import Body
from ingestion.door import CSVBody, Door, JSONBody, NDJSONBody
from ingestion.entities import Entity
from ingestion.operations import Outcome, Rejection, submit_market_data, submit_transactions
from portfolio.problems import (
    Forbidden,
    InvalidContent,
    Malformed,
    ProblemResponse,
    TooLarge,
    document,
    field_errors,
    refusal,
)
from portfolio.requests import record_headers
from portfolio.serializers import list_serializer_for, serializer_for
from portfolio.streaming.kafka import shared_producer
from portfolio.streaming.messages import SubmittedTransaction
from portfolio.texts import record_from_texts
from portfolio.validation import Refused

ERRORS_SHOWN_MAX = 100
"""How many of a wholly refused list's errors its problem repeats; all of them stand under `rejected`."""
FORMS = (FormParser, MultiPartParser)


@schema.of_one
class Transaction(Door):
    """Submit one transaction. It is accepted when the broker has acknowledged it."""

    parser_classes = [JSONBody, *FORMS]
    serializer_class = serializer_for(SubmittedTransaction)
    example = entities.TRANSACTIONS.example

    def received(self, request: Request) -> Body:
        """The body; a page's form is made into the JSON it stands for."""
        if not request.content_type.startswith(tuple(form.media_type for form in FORMS)):
            return super().received(request)
        sent = cast(QueryDict, request.data)
        texts = {name: sent.get(name, "") for name in SubmittedTransaction.__struct_fields__ if name in sent}
        self.example = texts
        return Body(record_from_texts(SubmittedTransaction, texts), formats.JSON, "")

    def answer(self, request: Request, body: Body) -> Response:
        """201 with the broker's receipt. Raises Malformed, Forbidden, InvalidContent, BrokerUnavailable."""
        outcome = submit_transactions(
            records=[_content(body)],
            user=request.user,
            headers=record_headers(request),
            producer=shared_producer(),
        )
        if outcome.rejected:
            raise _problem_of(outcome.rejected[0])
        [transaction], [receipt] = outcome.accepted, outcome.receipts
        assert isinstance(transaction, SubmittedTransaction), "what was read is what was published"
        return Response(
            {
                "portfolio_id": transaction.portfolio_id,
                "transaction_id": transaction.transaction_id,
                "version": transaction.version,
                "status": "accepted",
                "topic": receipt.topic,
                "partition": receipt.partition,
                "offset": receipt.offset,
            },
            status=201,
        )


class Records(Door):
    """A list of records of one entity."""

    parser_classes = [JSONBody, NDJSONBody, CSVBody]
    entity: Entity

    def __init_subclass__(cls) -> None:
        cls.serializer_class = list_serializer_for(cls.entity.submission_type, cls.entity.name)
        cls.example = {cls.entity.name: [cls.entity.example]}

    def submit(self, request: Request, records: formats.Records) -> Outcome:
        """The one call."""
        return submit_market_data(
            entity=self.entity,
            records=records,
            user=request.user,
            headers=record_headers(request),
            producer=shared_producer(),
        )

    def answer(self, request: Request, body: Body) -> Response:
        """201, 207 or 422. Raises Malformed, Forbidden, TooLarge, InvalidContent, BrokerUnavailable."""
        try:
            records = formats.records(
                _content(body),
                media_type=body.media_type,
                entity=self.entity,
                records_max=settings.INGEST_RECORDS_MAX,
            )
            outcome = self.submit(request, records)
        except formats.Unreadable as error:
            raise Malformed(str(error)) from error
        except formats.TooMuch as error:
            raise TooLarge(str(error)) from error
        if not outcome.accepted and not outcome.rejected:
            raise refusal(Refused([formats.nothing_in(self.entity)]))
        return self._answer_of(request, outcome)

    def _answer_of(self, request: Request, outcome: Outcome) -> Response:
        errors = [field_errors(one.problems, self.entity.name, one.index) for one in outcome.rejected]
        rejected = [
            {"index": one.index, **one.known_by, "errors": [asdict(error) for error in its_errors]}
            for one, its_errors in zip(outcome.rejected, errors, strict=True)
        ]
        if outcome.accepted:
            answer = {"accepted": len(outcome.accepted), "rejected": rejected}
            return Response(answer, status=207 if rejected else 201)
        shown = [error for its_errors in errors for error in its_errors][:ERRORS_SHOWN_MAX]
        problem = InvalidContent(
            f"None of the {len(rejected):,} records is acceptable; `rejected` says why of each.",
            errors=shown,
            extra={"accepted": 0, "rejected": rejected},
        )
        return ProblemResponse(document(problem, request), status=422)


@schema.of_list(entities.TRANSACTIONS)
class Transactions(Records):
    """Submit transactions: those accepted are on their way when this is answered, the others are named with reasons."""

    entity = entities.TRANSACTIONS

    def submit(self, request: Request, records: formats.Records) -> Outcome:
        """The one call."""
        return submit_transactions(
            records=records,
            user=request.user,
            headers=record_headers(request),
            producer=shared_producer(),
        )


@schema.of_list(entities.PORTFOLIOS)
class Portfolios(Records):
    """Submit attributes of portfolios; what is left out takes its default."""

    entity = entities.PORTFOLIOS


@schema.of_list(entities.INSTRUMENTS)
class Instruments(Records):
    """Submit attributes of instruments; takes the permission portfolio.write_any_portfolio."""

    entity = entities.INSTRUMENTS


@schema.of_list(entities.MARKET_PRICES)
class MarketPrices(Records):
    """Submit market prices; takes the permission portfolio.write_any_portfolio."""

    entity = entities.MARKET_PRICES


@schema.of_list(entities.FX_RATES)
class FxRates(Records):
    """Submit exchange rates; takes the permission portfolio.write_any_portfolio."""

    entity = entities.FX_RATES


@schema.of_list(entities.BENCHMARK_WEIGHTS)
class BenchmarkWeights(Records):
    """Submit weights and returns of a benchmark's segments; takes the permission portfolio.write_any_portfolio."""

    entity = entities.BENCHMARK_WEIGHTS


def _content(body: Body) -> bytes:
    try:
        return body.content()
    except formats.Unreadable as error:
        raise Malformed(str(error)) from error
    except formats.TooMuch as error:
        raise TooLarge(str(error)) from error


def _problem_of(rejection: Rejection) -> Exception:
    errors = field_errors(rejection.problems)
    if any(error.code == "forbidden" for error in errors):
        return Forbidden("The transaction names a portfolio of somebody else.", errors=errors)
    return refusal(Refused(rejection.problems))
