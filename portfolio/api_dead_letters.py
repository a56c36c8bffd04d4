"""The inbox over REST: the records that could not be taken, to read, to publish again and to let be."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView, get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portfolio.api_filters import DeadLetterFilter
from portfolio.api_serializers import DeadLetterSerializer
from portfolio.models import DeadLetter
from portfolio.operations import LetterRefused, discard_dead_letter, retry_dead_letter
from portfolio.pagination import KeysetPagination, Orderings
from portfolio.problems import Conflict, Forbidden
from portfolio.queries import AnyUser, forbidden_to_submit, readable
from portfolio.streaming.kafka import shared_producer


def letters_of(user: AnyUser) -> QuerySet[DeadLetter]:
    """The letters of the portfolios the user may read; those that name none only to who may read every portfolio."""
    return readable(user, DeadLetter.objects.all())


class DeadLetterList(ListAPIView[DeadLetter]):
    """Records that were set aside, the newest first."""

    queryset = DeadLetter.objects.all()
    serializer_class = DeadLetterSerializer
    pagination_class = KeysetPagination
    filterset_class = DeadLetterFilter
    orderings: Orderings = {"-recorded_at": ("-id",), "recorded_at": ("id",)}

    def get_queryset(self) -> QuerySet[DeadLetter]:
        return letters_of(self.request.user)


class DeadLetterDetail(RetrieveAPIView[DeadLetter]):
    """One record that was set aside."""

    queryset = DeadLetter.objects.all()
    serializer_class = DeadLetterSerializer
    filter_backends = ()

    def get_queryset(self) -> QuerySet[DeadLetter]:
        return letters_of(self.request.user)


class DeadLetterRetry(APIView):
    """Publish the record again, as it is: it is taken now, or comes back as a letter anew."""

    @extend_schema(request=None, responses=DeadLetterSerializer)
    def post(self, request: Request, pk: int) -> Response:
        def retry(letter: DeadLetter) -> None:
            retry_dead_letter(
                letter=letter, by=request.user.get_username(), at=timezone.now(), producer=shared_producer()
            )

        return _settled(request, pk, retry)


class DeadLetterDiscard(APIView):
    """Let the record be: its letter is closed, and stays to be read."""

    @extend_schema(request=None, responses=DeadLetterSerializer)
    def post(self, request: Request, pk: int) -> Response:
        def discard(letter: DeadLetter) -> None:
            discard_dead_letter(letter=letter, by=request.user.get_username(), at=timezone.now())

        return _settled(request, pk, discard)


def _settled(request: Request, pk: int, settle: Callable[[DeadLetter], None]) -> Response:
    """The letter after it was settled. Raises Http404, Forbidden, Conflict, BrokerUnavailable."""
    letter = get_object_or_404(letters_of(request.user), pk=pk)
    if not _may_settle(request.user, letter):
        raise Forbidden("Settling this letter takes the right to submit to its portfolio.")
    try:
        settle(letter)
    except LetterRefused as refused:
        raise Conflict(str(refused)) from refused
    letter.refresh_from_db()
    return Response(DeadLetterSerializer(letter).data)


def _may_settle(user: AnyUser, letter: DeadLetter) -> bool:
    """Whether the user could have submitted the record: to its portfolio or, where it names none, to any."""
    if letter.portfolio_id:
        return not forbidden_to_submit(user, [letter.portfolio_id])
    return isinstance(user, User) and user.has_perm("portfolio.write_any_portfolio")
