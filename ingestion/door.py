"""What every endpoint of the door shares: who may knock, how often, in which words; one answer to one key.

To a program the door speaks JSON, whatever else it would accept. A browser, which accepts text/html, gets a page with a
form, filled with the smallest example.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import Any, cast

import msgspec
from django.conf import settings
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.utils import timezone
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.throttling import BaseThrottle, UserRateThrottle
from rest_framework.views import APIView

from ingestion import formats, idempotency
from ingestion.body import Body, received
from portfolio.authentication import RecentTokenAuthentication
from portfolio.problems import ProblemResponse, problem_response

log = logging.getLogger(__name__)


class AnswerRenderer(JSONRenderer):
    """JSON by msgspec; indented, as the page shows it, by Django REST Framework."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> Any:
        if renderer_context and renderer_context.get("indent"):
            return super().render(data, accepted_media_type, renderer_context)
        return msgspec.json.encode(data)


class JSONBody(BaseParser):
    """A body whose bytes the view reads itself: nothing is parsed here, and the stream is left as it is."""

    media_type = formats.JSON
    renderer_class = JSONRenderer

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return {}


class NDJSONBody(JSONBody):
    """The same, one JSON object a line."""

    media_type = formats.NDJSON


class CSVBody(JSONBody):
    """The same, rows under a header of field names."""

    media_type = formats.CSV


class ProgramOrBrowser(BaseContentNegotiation):
    """JSON, except to whoever accepts text/html."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        content_type = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        wants_page = "text/html" in request.META.get("HTTP_ACCEPT", "")
        chosen = renderers[-1] if wants_page else renderers[0]
        return chosen, chosen.media_type


class IngestThrottle(UserRateThrottle):
    """INGEST_RATE_LIMIT requests (not records) a user, counted by each process for itself."""

    scope = "ingest"

    def get_rate(self) -> str | None:
        return str(settings.INGEST_RATE_LIMIT) or None


class Door(ABC, APIView):
    """One endpoint: `answer` says what becomes of a body."""

    renderer_classes = [AnswerRenderer, BrowsableAPIRenderer]
    parser_classes = [JSONBody]
    authentication_classes = [RecentTokenAuthentication, SessionAuthentication]
    content_negotiation_class = ProgramOrBrowser
    http_method_names = ["get", "post", "options"]
    serializer_class: type[Serializer[Any]]
    example: dict[str, Any]

    @abstractmethod
    def answer(self, request: Request, body: Body) -> Response:
        """The response to a body. Raises problems."""

    def get(self, request: Request) -> Response:
        """The page; there is nothing to read here for a program."""
        if not isinstance(request.accepted_renderer, BrowsableAPIRenderer):
            raise MethodNotAllowed("GET")
        return Response({"post": "one of the bodies below"})

    def post(self, request: Request) -> Response:
        """Parse, one call, answer."""
        body = self.received(request)
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        return self.answer(request, body) if key is None else self.answer_once(request, body, key)

    def received(self, request: Request) -> Body:
        """The request's body. Raises UnsupportedType, TooLarge, Malformed."""
        return received(request, tuple(parser.media_type for parser in self.parser_classes))

    def answer_once(self, request: Request, body: Body, key: str) -> Response:
        """The answer that the same key and body were given first; made now where this is the first time."""
        user = cast(User, request.user)
        claimed = idempotency.claim_or_answer(user=user, path=request.path, key=key, body=body, now=timezone.now())
        if isinstance(claimed, idempotency.Kept):
            kind = Response if claimed.status < 400 else ProblemResponse
            replayed = {"Idempotency-Replayed": "true"}
            return kind(msgspec.json.decode(claimed.answer), status=claimed.status, headers=replayed)
        response: Response | None = None
        try:
            response = self.answer(request, body)
        except Exception as error:
            response = problem_response(error, {"request": request})
            if response is None:
                raise
        finally:
            self._settle(claimed, response)
        return response

    @staticmethod
    def _settle(claim: idempotency.Claim, response: Response | None) -> None:
        try:
            if response is None or response.status_code >= 500:
                idempotency.let_go(claim)
            else:
                idempotency.keep(claim, status=response.status_code, answer=msgspec.json.encode(response.data))
        except DatabaseError:
            # What the broker acknowledged is acknowledged; the lease ends by itself, and a repeat has no second effect.
            log.warning("an answer could not be kept for its Idempotency-Key", exc_info=True)

    def get_throttles(self) -> list[BaseThrottle]:
        """None where no rate is set."""
        return [IngestThrottle()] if settings.INGEST_RATE_LIMIT else []

    def get_serializer(self, *args: Any, **options: Any) -> Serializer[Any]:
        """The form of the page, filled with the example."""
        return self.serializer_class(instance=self.example)
