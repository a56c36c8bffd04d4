"""From a body's bytes to records."""

from __future__ import annotations

import contextlib
import gzip
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.entities import ENTITIES, FX_RATES, TRANSACTIONS
from ingestion.formats import CSV, JSON, NDJSON, TooMuch, Unreadable, records, unpacked
from portfolio.validation import Refused, read


def cut(body: bytes, media_type: str, *, entity=TRANSACTIONS, records_max: int = 100):
    """The records; of one that could not be cut out, what is said of it."""
    found = records(body, media_type=media_type, entity=entity, records_max=records_max)
    return [str(one) if isinstance(one, Refused) else one for one in found]


# --- three ways to write a list -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (JSON, b'{"transactions": [{"a":1}, {"b":2}]}'),
        (NDJSON, b'{"a":1}\n{"b":2}\n'),
        (NDJSON, b'\n{"a":1}\r\n\r\n  {"b":2}'),
        (JSON, b'\xef\xbb\xbf{"transactions": [{"a":1}, {"b":2}]}'),
    ],
)
def test_records_are_cut_out_as_they_stand(media_type, body):
    assert cut(body, media_type) == [b'{"a":1}', b'{"b":2}']


def test_a_row_becomes_the_record_it_spells():
    body = (
        b"\xef\xbb\xbftransaction_id,portfolio_id,version,quantity,note,lots\r\n"
        b'T1,P1,2,10.50,"a ""quoted"", long\r\nnote",\r\n'
        b"\r\n"
        b',,,,,"[{""transaction_id"":""T0"",""quantity"":1}]"\r\n'
    )
    assert [json.loads(record) for record in cut(body, CSV)] == [
        {
            "transaction_id": "T1",
            "portfolio_id": "P1",
            "version": 2,
            "quantity": "10.50",
            "note": 'a "quoted", long\r\nnote',
        },
        {"lots": [{"transaction_id": "T0", "quantity": 1}]},
    ]


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
def test_the_example_of_every_entity_is_the_same_in_every_format(entity):
    example = json.dumps(entity.example)
    rows = f"{','.join(entity.example)}\n{','.join(map(str, entity.example.values()))}\n"
    bodies = {JSON: f'{{"{entity.name}":[{example}]}}', NDJSON: example, CSV: rows}
    read_back = {
        read(entity.submission_type, record)
        for media_type, body in bodies.items()
        for record in records(body.encode(), media_type=media_type, entity=entity, records_max=1)
        if not isinstance(record, Refused)
    }
    assert len(read_back) == 1


# --- what cannot be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "body", "said"),
    [
        (JSON, b"", "not JSON"),
        (JSON, b'{"transactions": [', "not JSON"),
        (JSON, b'{"transactions": ' + b"[" * 100_000, "not JSON"),
        (JSON, b'{"transactions": 1', "not JSON"),
        (CSV, b"transaction_id\n\xff\n", "not UTF-8"),
        (CSV, b'transaction_id\n"open', "Line 2 is not CSV"),
    ],
)
def test_an_unreadable_body_is_unreadable_as_a_whole(media_type, body, said):
    with pytest.raises(Unreadable, match=said):
        cut(body, media_type)


@pytest.mark.parametrize(
    ("media_type", "body", "refused"),
    [
        (JSON, b"[]", {"": "invalid"}),
        (JSON, b"{}", {"transactions": "required"}),
        (JSON, b'{"transactions": {}}', {"transactions": "invalid"}),
        (JSON, b'{"transactions": [], "rows": 1}', {"rows": "unknown_field"}),
        (JSON, b'{"fx_rates": []}', {"transactions": "required", "fx_rates": "unknown_field"}),
        (CSV, b"", {"": "required"}),
        (CSV, b"transaction_id,colour\nT1,red\n", {"colour": "unknown_column"}),
        (CSV, b"transaction_id,transaction_id\nT1,T1\n", {"transaction_id": "repeated_column"}),
        (CSV, b"transaction_id;price\nT1;1\n", {"transaction_id;price": "unknown_column"}),
    ],
)
def test_a_body_that_is_no_list_of_records_says_what_it_lacks(media_type, body, refused):
    with pytest.raises(Refused) as raised:
        cut(body, media_type)
    assert {problem.field: problem.code for problem in raised.value.problems} == refused


def test_a_row_of_too_many_cells_stands_alone():
    found = cut(b"transaction_id,price\nT1,1\nT2,1,000\nT3\nT4,4\n", CSV)
    assert found == [
        b'{"transaction_id":"T1","price":"1"}',
        "record: line 3 has 3 cells, and the header 2",
        "record: line 4 has 1 cells, and the header 2",
        b'{"transaction_id":"T4","price":"4"}',
    ]


@given(st.binary(max_size=200), st.sampled_from([JSON, NDJSON, CSV]))
def test_whatever_arrives_is_read_or_refused(body, media_type):
    with contextlib.suppress(Unreadable, Refused, TooMuch):
        cut(body, media_type, entity=FX_RATES)


# --- bounds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "body"),
    [(JSON, b'{"transactions": [{},{},{}]}'), (NDJSON, b"{}\n{}\n{}"), (CSV, b"price\n1\n2\n3\n")],
)
def test_the_number_of_records_is_bounded(media_type, body):
    assert len(cut(body, media_type, records_max=3)) == 3
    with pytest.raises(TooMuch, match="at most 2 records"):
        cut(body, media_type, records_max=2)


def test_millions_of_tiny_values_are_refused_before_they_are_taken_apart():
    body = b'{"transactions": [' + b"1," * 2_000_000 + b"1]}"
    tracemalloc.start()
    try:
        with pytest.raises(TooMuch):
            cut(body, JSON)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(body)
    finally:
        tracemalloc.stop()


def test_gzip_is_unpacked():
    assert unpacked(gzip.compress(b"one") + gzip.compress(b"two"), bytes_max=6) == b"onetwo"


def test_a_gzip_bomb_stops_at_the_bound():
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(TooMuch, match="unpacks to more than 1,000,000 bytes"):
            unpacked(bomb, bytes_max=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("body", [b"plain", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"one") + b"rubbish"])
def test_what_is_no_gzip_says_so(body):
    with pytest.raises(Unreadable, match="not gzip"):
        unpacked(body, bytes_max=10_000)
