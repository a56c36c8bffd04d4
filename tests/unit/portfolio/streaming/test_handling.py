"""Reading a record: its message, or the reason why it has none."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest

from portfolio.streaming.broker import Record
from portfolio.streaming.handling import Handled, Letter, Publication, Received, outgoing, portfolio_of, read
from portfolio.streaming.messages import (
    Message,
    PositionCalculation,
    RawPortfolio,
    RawPrice,
    RawTransaction,
    SubmittedPortfolio,
    SubmittedPrice,
    encode,
)
from tests.working import deposit


def record(
    value: bytes | None, *, key: bytes | None = b"PORT", topic: str = RawTransaction.TOPIC, **rest: object
) -> Record:
    return Record(topic, 0, 7, key, value, **rest)  # type: ignore[arg-type]


def of(message: Message, **changes: object) -> Record:
    return record(**{"value": encode(message), "key": message.key.encode(), "topic": message.TOPIC, **changes})  # type: ignore[arg-type]


PRICE = RawPrice(
    market_price=SubmittedPrice(
        security_id="AAPL", price_date=datetime.date(2025, 1, 15), price=Decimal("150.5"), currency="USD"
    )
)


def test_a_good_record_is_received() -> None:
    one = of(deposit("PORT"))
    assert read(one) == Received(one, deposit("PORT"))
    assert read(of(PRICE)) == Received(of(PRICE), PRICE)


@pytest.mark.parametrize(
    ("one", "code", "said"),
    [
        (record(None), "NO_VALUE", "no value"),
        (record(b"{}", key=None), "NO_KEY", "no key"),
        (record(b""), "MALFORMED", "not JSON"),
        (record(b"\xff"), "MALFORMED", "not JSON"),
        (record(b'{"x":' * 100_000), "MALFORMED", "nested"),
        (record(b"[]"), "INVALID", "Expected `object`"),
        (record(b'{"schema":"raw_transaction.v9"}'), "UNKNOWN_SCHEMA", "raw_transaction.v9"),
        (record(b"{}", topic=RawPrice.TOPIC), "UNKNOWN_SCHEMA", "schema"),
        (record(b'{"schema":"raw_transaction.v1"}'), "INVALID", "transaction"),
        (record(b"{}", topic="a_topic_of_somebody_else"), "UNREADABLE", "KeyError"),
        (of(deposit("PORT"), key=b"OTHER"), "WRONG_KEY", "OTHER"),
        (of(deposit("PORT"), key=b"\xff\x00"), "WRONG_KEY", "PORT"),
        (record(encode(deposit("PORT")).replace(b'"100"', b'"-100"')), "INVALID", "gross_transaction_amount"),
        (record(encode(deposit("PORT")).replace(b'"100"', b'"1_00"')), "INVALID", "gross_transaction_amount"),
        (record(encode(deposit("PORT")).replace(b'"100"', b"1e999999999999999999999")), "INVALID", "decimal"),
        (record(encode(deposit("PORT")).replace(b"EUR", b"XXQ")), "INVALID", "currency"),
    ],
)
def test_what_cannot_be_read_says_why(one: Record, code: str, said: str) -> None:
    letter = read(one)
    assert isinstance(letter, Letter)
    assert letter.code == code
    assert said in letter.reason
    assert letter.record is one


def test_the_rules_problems_travel_with_the_letter() -> None:
    letter = read(record(encode(deposit("PORT")).replace(b"DEPOSIT", b"GIFT")))
    assert isinstance(letter, Letter)
    assert letter.context is not None
    assert [problem["field"] for problem in letter.context["errors"]] == ["transaction_type"]
    assert letter.portfolio_id == "PORT"


@pytest.mark.parametrize("key", [b"\x00", b"x" * 65, None])
def test_a_key_that_is_no_portfolio_is_not_taken_for_one(key: bytes | None) -> None:
    letter = read(record(b"nonsense", key=key))
    assert isinstance(letter, Letter)
    assert letter.portfolio_id == ""


def test_messages_know_their_portfolio_where_they_have_one() -> None:
    assert portfolio_of(deposit("P1")) == "P1"
    assert portfolio_of(RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P2", base_currency="EUR"))) == "P2"
    assert portfolio_of(PositionCalculation(portfolio_id="P3", requested_seq=1)) == "P3"
    assert portfolio_of(PRICE) == ""


def test_a_publication_carries_its_causes_request_and_trace_and_nothing_else() -> None:
    cause = record(b"", headers={"request_id": "r", "traceparent": "t", "cookie": "c"})
    message = PositionCalculation(portfolio_id="P1", requested_seq=3)
    sent = outgoing(Publication(message, cause))
    assert (sent.topic, sent.key, sent.value) == ("position_calculations", "P1", encode(message))
    assert sent.headers == {"request_id": "r", "traceparent": "t"}
    assert outgoing(Publication(message)).headers == {}


def test_what_two_halves_of_a_batch_give_is_put_together() -> None:
    one, other = Publication(PRICE), Publication(deposit("P"))
    letter = Letter(record(b""), "CODE", "why")
    assert Handled([one]) + Handled([other], [letter]) == Handled([one, other], [letter])
