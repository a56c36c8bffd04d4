"""Submitting a portfolio's attributes from where they are read: the same message that the door publishes.

Nothing here writes a row. The record takes the road of every other, and whoever reads on sees it when it has arrived.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from django.core.exceptions import PermissionDenied

from portfolio.models import Portfolio
from portfolio.queries import AnyUser, forbidden_to_submit
from portfolio.streaming.broker import Outgoing, Producer, Receipt
from portfolio.streaming.messages import RawPortfolio, SubmittedPortfolio, encode
from portfolio.validation import FieldProblem, Refused, read

_FIELDS = SubmittedPortfolio.__struct_fields__


class Superseded(ValueError):
    """What is submitted is not newer than what stands, and says something else; the message says which stands."""


def submit_portfolio(
    *, body: bytes, user: AnyUser, headers: Mapping[str, str], producer: Producer
) -> tuple[SubmittedPortfolio, Receipt]:
    """Publish a portfolio's attributes, a JSON object, as the door does; what is left out takes its default.

    Raises Refused, PermissionDenied where it is somebody else's, Superseded where other attributes stand under this or
    a higher version, BrokerUnavailable.
    """
    submission = read(SubmittedPortfolio, body)
    _check_owner(user, submission.portfolio_id)
    standing = Portfolio.objects.filter(portfolio_id=submission.portfolio_id).first()
    if (
        standing
        and submission.version <= standing.version
        and _attributes(standing) != msgspec.structs.asdict(submission)
    ):
        raise Superseded(
            f"The portfolio {submission.portfolio_id} has other attributes, of version {standing.version}: "
            "patch it, or submit a higher version."
        )
    return submission, _publish(submission, user, headers, producer)


def patch_portfolio(
    *, portfolio_id: str, body: bytes, user: AnyUser, headers: Mapping[str, str], producer: Producer
) -> tuple[SubmittedPortfolio, Receipt]:
    """Publish a portfolio's attributes with some of them changed, as the version read + 1.

    The body is a JSON object of those that change. A `version` in it must be that one: so the caller says what was
    read. Raises as `submit_portfolio`.
    """
    patch = _object(body)
    _check_owner(user, portfolio_id)
    standing = Portfolio.objects.filter(portfolio_id=portfolio_id).first()
    version = standing.version + 1 if standing else 1
    if patch.get("version", version) != version:
        raise Superseded(f"The next version of the portfolio {portfolio_id} is {version}: read it again.")
    if patch.get("portfolio_id", portfolio_id) != portfolio_id:
        raise Refused([FieldProblem("portfolio_id", "contradiction", "is not that of the address")])
    whole = {**(_attributes(standing) if standing else {}), **patch, "portfolio_id": portfolio_id, "version": version}
    submission = read(SubmittedPortfolio, msgspec.json.encode(whole))
    return submission, _publish(submission, user, headers, producer)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused([FieldProblem("", "malformed", f"is not a JSON object: {error}")]) from error


_decoder = msgspec.json.Decoder(dict[str, Any])


def _check_owner(user: AnyUser, portfolio_id: str) -> None:
    if forbidden_to_submit(user, [portfolio_id]):
        raise PermissionDenied(f"The portfolio {portfolio_id} is somebody else's.")


def _attributes(portfolio: Portfolio) -> dict[str, Any]:
    return {name: getattr(portfolio, name) for name in _FIELDS}


def _publish(submission: SubmittedPortfolio, user: AnyUser, headers: Mapping[str, str], producer: Producer) -> Receipt:
    message = RawPortfolio(portfolio=submission, submitted_by=user.get_username())
    (receipt,) = producer.publish([Outgoing(message.TOPIC, message.key, encode(message), headers)])
    return receipt
