"""What makes a submission acceptable."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portfolio.money import fits
from portfolio.streaming.messages import (
    RawPrice,
    Submission,
    SubmittedBenchmarkWeight,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
    decode,
    encode,
)
from portfolio.validation import Refused, read

# The transaction of the project's first description.
SMALLEST = {
    "transaction_id": "TRN001",
    "portfolio_id": "PORT001",
    "instrument_id": "AAPL",
    "transaction_date": "2025-01-15",
    "transaction_type": "BUY",
    "quantity": 10,
    "price": 150.0,
    "currency": "USD",
    "trade_fee": 5.0,
}
SMALLEST_OF: dict[type[Submission], dict[str, object]] = {
    SubmittedTransaction: SMALLEST,
    SubmittedPortfolio: {"portfolio_id": "P1", "base_currency": "EUR"},
    SubmittedInstrument: {"security_id": "AAPL", "currency": "USD"},
    SubmittedPrice: {"security_id": "AAPL", "price_date": "2025-01-15", "price": "150.25", "currency": "USD"},
    SubmittedRate: {"from_currency": "EUR", "to_currency": "USD", "rate_date": "2025-01-15", "rate": "1.03"},
    SubmittedBenchmarkWeight: {
        "benchmark_id": "WORLD",
        "segment_by": "sector",
        "segment": "Energy",
        "weight_date": "2025-01-15",
        "weight": "0.05",
    },
}
SPIN_OFF = {
    "transaction_type": "SPIN_OFF",
    "ratio_new": 1,
    "ratio_old": 4,
    "target_security_id": "NEW",
    "cost_fraction": "0.2",
}


def problems(submission_type: type[Submission], record: object) -> dict[str, str]:
    """The code of each field that is refused."""
    raw = record if isinstance(record, bytes) else json.dumps(record).encode()
    try:
        read(submission_type, raw)
    except Refused as refused:
        return {problem.field: problem.code for problem in refused.problems}
    return {}


def transaction(**fields: object) -> dict[str, object]:
    return {name: value for name, value in {**SMALLEST, **fields}.items() if value is not ...}


@pytest.mark.parametrize(
    ("submission_type", "record"), SMALLEST_OF.items(), ids=lambda one: getattr(one, "__name__", "")
)
def test_the_smallest_record_is_acceptable(submission_type, record):
    assert problems(submission_type, record) == {}


def test_numbers_are_read_as_written_and_never_through_a_float():
    read_back = read(
        SubmittedTransaction,
        b'{"transaction_id":"T","portfolio_id":"P","instrument_id":"A",'
        b'"transaction_date":"2025-01-15","transaction_type":"BUY","currency":"USD",'
        b'"quantity":0.1234567890123456789e1,"price":"123456789012345678.000000000000000001"}',
    )
    assert read_back.quantity == Decimal("1.234567890123456789")
    assert read_back.price == Decimal("123456789012345678.000000000000000001")


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"portfolio_id": ...}, {"portfolio_id": "required"}),
        ({"portfolio_id": "has space"}, {"portfolio_id": "invalid"}),
        ({"portfolio_id": "a/b"}, {"portfolio_id": "invalid"}),
        ({"portfolio_id": "x" * 65}, {"portfolio_id": "invalid"}),
        ({"portfolio_id": ""}, {"portfolio_id": "invalid"}),
        ({"portfolio_id": 7}, {"portfolio_id": "invalid"}),
        ({"transaction_id": "\u2028"}, {"transaction_id": "invalid"}),
        ({"transaction_id": "zero\u200bwidth"}, {"transaction_id": "invalid"}),
        ({"version": 0}, {"version": "invalid"}),
        ({"version": "1"}, {"version": "invalid"}),
        ({"version": 2**31}, {"version": "invalid"}),
        ({"status": "DELETED"}, {"status": "invalid"}),
        ({"security_id": "MSFT"}, {"instrument_id": "contradiction"}),
        ({"instrument_id": ...}, {"security_id": "required"}),
        ({"transaction_date": "15.01.2025"}, {"transaction_date": "invalid"}),
        ({"transaction_date": "2025-02-30"}, {"transaction_date": "invalid"}),
        ({"transaction_date": "2025-01-15T10:30:00"}, {"transaction_date": "invalid"}),
        ({"settlement_date": "2025-01-14"}, {"settlement_date": "before_trade_date"}),
        ({"settlement_date": "soon"}, {"settlement_date": "invalid"}),
        ({"transaction_type": "GIFT"}, {"transaction_type": "unknown"}),
        ({"transaction_type": ...}, {"transaction_type": "required"}),
        ({"quantity": ...}, {"quantity": "required"}),
        ({"quantity": 0}, {"quantity": "required"}),
        ({"quantity": -1}, {"quantity": "out_of_range"}),
        ({"quantity": "ten"}, {"quantity": "invalid"}),
        ({"quantity": True}, {"quantity": "invalid"}),
        ({"quantity": "1_000"}, {"quantity": "invalid"}),
        ({"quantity": " 1"}, {"quantity": "invalid"}),
        ({"quantity": "\u0661"}, {"quantity": "invalid"}),
        ({"quantity": "NaN"}, {"quantity": "digits"}),
        ({"quantity": "Infinity"}, {"quantity": "digits"}),
        ({"quantity": "1e18"}, {"quantity": "digits"}),
        ({"quantity": "1e-19"}, {"quantity": "digits"}),
        ({"quantity": "1e-999999999"}, {"quantity": "digits"}),
        ({"tax": "0e-999999999"}, {"tax": "digits"}),
        ({"price": "-0.01"}, {"price": "out_of_range"}),
        ({"gross_transaction_amount": -5}, {"gross_transaction_amount": "out_of_range"}),
        ({"trade_fee": None}, {"trade_fee": "invalid"}),
        ({"transaction_fx_rate": 0}, {"transaction_fx_rate": "out_of_range"}),
        ({"currency": ...}, {"currency": "required"}),
        ({"currency": "usd"}, {"currency": "invalid"}),
        ({"currency": "QQQ"}, {"currency": "unknown"}),
        ({"trade_currency": "EUR"}, {"trade_currency": "contradiction"}),
        ({"lots": [{"transaction_id": "T1", "quantity": 0}]}, {"lots.0.quantity": "out_of_range"}),
        ({"lots": [{"transaction_id": "T1"}]}, {"lots": "invalid"}),
        ({**SPIN_OFF, "cost_fraction": ...}, {"cost_fraction": "required"}),
        ({**SPIN_OFF, "cost_fraction": "1.1"}, {"cost_fraction": "out_of_range"}),
        ({**SPIN_OFF, "ratio_old": 0}, {"ratio_old": "out_of_range"}),
        ({**SPIN_OFF, "target_security_id": "AAPL"}, {"target_security_id": "contradiction"}),
        ({"note": "x" * 1001}, {"note": "invalid"}),
        ({"note": "nul\0"}, {"note": "invalid"}),
        ({"colour": "red"}, {"colour": "unknown_field"}),
        ({"quantity": -1, "currency": "QQQ", "colour": 1},
         {"quantity": "out_of_range", "currency": "unknown", "colour": "unknown_field"}),
    ],
    ids=str,
)  # fmt: skip
def test_every_field_that_is_wrong_is_named(fields, refused):
    assert problems(SubmittedTransaction, transaction(**fields)) == refused


@pytest.mark.parametrize(
    ("submission_type", "fields", "refused"),
    [
        (SubmittedPortfolio, {"base_currency": "QQQ"}, {"base_currency": "unknown"}),
        (SubmittedPortfolio, {"cost_basis_method": "BEST"}, {"cost_basis_method": "invalid"}),
        (SubmittedPortfolio, {"allow_short": "yes"}, {"allow_short": "invalid"}),
        (SubmittedInstrument, {"isin": "US123"}, {"isin": "invalid"}),
        (SubmittedInstrument, {"price_factor": 0}, {"price_factor": "out_of_range"}),
        (SubmittedPrice, {"price": -1}, {"price": "out_of_range"}),
        (SubmittedPrice, {"price_date": "2025-01-15T00:00:00Z"}, {"price_date": "invalid"}),
        (SubmittedRate, {"rate": 0}, {"rate": "out_of_range"}),
        (SubmittedRate, {"to_currency": "EUR"}, {"to_currency": "contradiction"}),
        (SubmittedBenchmarkWeight, {"segment_by": "colour"}, {"segment_by": "invalid"}),
        (SubmittedBenchmarkWeight, {"segment": ""}, {"segment": "invalid"}),
        (SubmittedBenchmarkWeight, {"segment": "x" * 65}, {"segment": "invalid"}),
        (SubmittedBenchmarkWeight, {"weight": "1.01"}, {"weight": "out_of_range"}),
        (SubmittedBenchmarkWeight, {"weight": "-0.01"}, {"weight": "out_of_range"}),
        (SubmittedBenchmarkWeight, {"weight": 0, "return": -1}, {}),
        (SubmittedBenchmarkWeight, {"weight": 1, "return": 12}, {}),
        (SubmittedBenchmarkWeight, {"return": "-1.01"}, {"return": "out_of_range"}),
        (SubmittedBenchmarkWeight, {"return": "1e-19", "weight": "NaN"}, {"return": "digits", "weight": "digits"}),
        (SubmittedBenchmarkWeight, {"return": "1_0"}, {"return": "invalid"}),
        (SubmittedBenchmarkWeight, {"return": []}, {"return": "invalid"}),
        (SubmittedBenchmarkWeight, {"segment_return": "0.1"}, {"segment_return": "unknown_field"}),
    ],
)
def test_reference_data_is_held_to_the_same(submission_type, fields, refused):
    assert problems(submission_type, {**SMALLEST_OF[submission_type], **fields}) == refused


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"[]", b"null", b'"text"', b"{}}", b'{"a": NaN}', b"\xff", b"[" * 100_000, b'{"x":' * 100_000],
    ids=lambda raw: raw[:8].decode(errors="replace"),
)
def test_what_is_no_json_object_is_malformed(raw):
    assert problems(SubmittedTransaction, raw) == {"": "malformed"}


def test_a_spelling_hidden_behind_an_escape_is_seen():
    raw = json.dumps(transaction(quantity="Q")).encode().replace(b'"Q"', rb'"1\u005f000"')
    assert problems(SubmittedTransaction, raw) == {"quantity": "invalid"}


# --- decimals -----------------------------------------------------------------------------------------------------

KEPT = st.decimals(min_value=0, max_value=Decimal(10**18) - 1, allow_nan=False, places=18) | st.decimals(
    min_value=0, max_value=Decimal(10**18) - 1, allow_nan=False
).filter(fits)


def price(spelled: str) -> bytes:
    return b'{"security_id":"A","price_date":"2025-01-15","currency":"USD","price":%s}' % spelled.encode()


@given(KEPT)
@example(Decimal("999999999999999999.999999999999999999"))
@example(Decimal("0.000000000000000001"))
@example(Decimal("1E+17"))
def test_a_decimal_of_18_and_18_digits_survives_exactly_to_the_topic_and_back(number):
    for spelled in (str(number), f'"{number}"', f"{number:f}", f'"{number:f}"'):
        submission = read(SubmittedPrice, price(spelled))
        message = decode("raw_market_data", encode(RawPrice(market_price=submission)))
        assert isinstance(message, RawPrice)
        assert message.market_price.price == number
        assert message.market_price.price.as_tuple().digits  # a number, neither NaN nor infinite


@given(st.decimals(allow_nan=True, allow_infinity=True).filter(lambda number: not fits(number) or number < 0))
@example(Decimal(1000000000000000000))
@example(Decimal("0.0000000000000000001"))
@example(Decimal("1E-999999"))
@example(Decimal("sNaN"))
def test_any_other_number_is_refused_and_names_its_field(number):
    assert problems(SubmittedPrice, price(f'"{number}"')).keys() == {"price"}
    if number.is_finite():
        assert problems(SubmittedPrice, price(str(number))).keys() == {"price"}


@given(st.text(max_size=20))
def test_any_text_is_a_number_or_is_refused(text):
    raw = price(json.dumps(text))
    found = problems(SubmittedPrice, raw)
    if not found:
        assert read(SubmittedPrice, raw).price == Decimal(text)
        assert text.isascii()
    else:
        assert found.keys() == {"price"}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(list(SMALLEST)), inner),
        max_leaves=20,
    )
)
def test_whatever_is_sent_is_read_or_refused(value):
    problems(SubmittedTransaction, json.dumps(value).encode())
    problems(SubmittedTransaction, json.dumps({**SMALLEST, "quantity": value, "note": value, "lots": value}).encode())
