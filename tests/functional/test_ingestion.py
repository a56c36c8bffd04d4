"""The door, from outside: over HTTP, with the real database and the real broker behind it."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.utils import timezone
from django.utils.html import escape
from rest_framework.authtoken.models import Token

from ingestion import api, idempotency
from ingestion.body import Body
from ingestion.entities import ENTITIES, TRANSACTIONS
from ingestion.models import IdempotencyKey
from ingestion.permission import forget_leaves
from portfolio.authentication import forget_tokens
from portfolio.models import PortfolioChange, StoppedWorker
from portfolio.streaming.broker import BrokerUnavailable
from portfolio.streaming.kafka import KafkaProducer, create_topics, read_topic
from portfolio.streaming.messages import RAW_TOPICS, TOPICS, RawTransaction, decode

pytestmark = pytest.mark.django_db

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PATHS = {entity.name: f"/ingest/{entity.name.replace('_', '-')}" for entity in ENTITIES}
MEMBERS = {"type", "title", "status", "detail", "instance", "request_id", "errors"}


@pytest.fixture(scope="module", autouse=True)
def topics():
    create_topics(TOPICS, partitions=2, replication_factor=1, config={topic: {} for topic in TOPICS})


@pytest.fixture(autouse=True)
def no_memory():
    """Another test's users and portfolios are other ones."""
    forget_tokens()
    forget_leaves()


@pytest.fixture
def ids():
    """A portfolio id of this test alone: the topics outlive it."""
    return f"P-{uuid.uuid4().hex[:12]}"


class Caller:
    """Somebody with a token."""

    def __init__(self, name: str, *permissions: str) -> None:
        self.user = User.objects.create(username=name)
        for codename in permissions:
            self.user.user_permissions.add(Permission.objects.get(codename=codename))
        self.token = Token.objects.create(user=self.user)
        self.client = Client(raise_request_exception=False)

    def post(self, path, body, content_type=JSON, **headers):
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        headers = {"Authorization": f"Token {self.token.key}", "Content-Type": content_type, **headers}
        return self.client.generic("POST", path, data, headers=headers)


@pytest.fixture
def anna():
    return Caller("anna")


@pytest.fixture
def operator():
    return Caller("operator", "write_any_portfolio")


def transaction(portfolio_id, transaction_id="T1", **fields):
    record = {**TRANSACTIONS.example, "portfolio_id": portfolio_id, "transaction_id": transaction_id, **fields}
    return {name: value for name, value in record.items() if value is not ...}


def transactions_in(portfolio_id):
    messages = [decode(record.topic, record.value or b"") for record in published("raw_transactions", portfolio_id)]
    return [message.transaction for message in messages if isinstance(message, RawTransaction)]


def published(topic, key):
    return [record for record in read_topic(topic, records_max=100_000) if record.key == key.encode()]


def problem(answer, status):
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body.keys() >= MEMBERS
    assert body["status"] == status
    assert body["request_id"] == answer["X-Request-ID"]
    return body


def codes(body):
    return {error["pointer"]: error["code"] for error in body["errors"]}


# --- one transaction ----------------------------------------------------------------------------------------------


def test_the_smallest_transaction_is_accepted_with_the_brokers_receipt(anna, ids):
    answer = anna.post("/ingest/transaction", transaction(ids), **{"X-Request-ID": "req-1", "traceparent": TRACE})
    assert answer.status_code == 201, answer.content
    [record] = published("raw_transactions", ids)
    assert answer.json() == {
        "portfolio_id": ids,
        "transaction_id": "T1",
        "version": 1,
        "status": "accepted",
        "topic": "raw_transactions",
        "partition": record.partition,
        "offset": record.offset,
    }
    message = decode(record.topic, record.value)
    assert isinstance(message, RawTransaction)
    assert message.submitted_by == "anna"
    assert message.transaction.instrument_id == "AAPL"
    assert record.headers == {"request_id": "req-1", "content-type": JSON, "traceparent": TRACE}
    assert answer["X-Request-ID"] == "req-1"


@pytest.mark.parametrize(
    ("body", "content_type", "headers", "status", "errors"),
    [
        ("{", JSON, {}, 400, {"": "malformed"}),
        ("", JSON, {}, 400, {"": "malformed"}),
        ("[]", JSON, {}, 400, {"": "malformed"}),
        ("[" * 100_000, JSON, {}, 400, {"": "malformed"}),
        (b"\xff", JSON, {}, 400, {"": "malformed"}),
        ("plain", JSON, {"Content-Encoding": "gzip"}, 400, {}),
        ("{}", JSON, {"Idempotency-Key": ""}, 400, {}),
        ("{}", JSON, {"Idempotency-Key": "x" * 256}, 400, {}),
        ("<a/>", "application/xml", {}, 415, {}),
        ("{}", "text/csv", {}, 415, {}),
        ("{}", "application/json; charset=latin-1", {}, 415, {}),
        ("{}", JSON, {"Content-Encoding": "br"}, 415, {}),
        ("{}", JSON, {}, 422, {f"/{name}": "required" for name in
                               ("portfolio_id", "transaction_id", "transaction_date", "transaction_type", "currency")}),
        (transaction("P", quantity=-1), JSON, {}, 422, {"/quantity": "out_of_range"}),
        (transaction("P", quantity="NaN"), JSON, {}, 422, {"/quantity": "digits"}),
        (transaction("P", lots=[{"transaction_id": "T", "quantity": 0}]), JSON, {}, 422,
         {"/lots/0/quantity": "out_of_range"}),
        (transaction("P", **{"a/b": 1}), JSON, {}, 422, {"/a~1b": "unknown_field"}),
    ],
)  # fmt: skip
def test_every_refusal_names_its_status_and_its_field(anna, body, content_type, headers, status, errors):  # noqa: PLR0917
    assert codes(problem(anna.post("/ingest/transaction", body, content_type, **headers), status)) == errors


def test_who_brings_no_token_or_a_wrong_one_is_a_stranger(ids):
    for headers in ({}, {"Authorization": "Token wrong"}, {"Authorization": "Token"}):
        answer = Client().post("/ingest/transaction", transaction(ids), content_type=JSON, headers=headers)
        problem(answer, 401)
        assert answer["WWW-Authenticate"] == "Token"


def test_a_path_that_leads_nowhere_is_404_and_a_wrong_method_405(anna):
    problem(anna.post("/ingest/transaction/", "{}"), 404)
    problem(anna.post("/ingest/nothing", "{}"), 404)
    for method in (anna.client.get, anna.client.put, anna.client.delete):
        answer = method("/ingest/transaction", headers={"Authorization": f"Token {anna.token.key}"})
        problem(answer, 405)
        assert "POST" in answer["Allow"]


def test_a_body_beyond_the_bound_is_413(anna, settings):
    settings.INGEST_BODY_BYTES_MAX = 1000
    problem(anna.post("/ingest/transaction", transaction("P", note="x" * 1000)), 413)
    problem(anna.post("/ingest/transactions", gzip.compress(bytes(2000)), **{"Content-Encoding": "gzip"}), 413)


def test_a_body_of_unannounced_length_is_read_to_its_end(anna, ids, settings):
    def send(record, **environ):
        return anna.client.generic(
            "POST", "/ingest/transaction", "", CONTENT_TYPE=JSON,
            HTTP_AUTHORIZATION=f"Token {anna.token.key}", HTTP_TRANSFER_ENCODING="chunked",
            **{"wsgi.input": io.BytesIO(json.dumps(record).encode()), **environ},
        )  # fmt: skip

    assert send(transaction(ids), **{"wsgi.input_terminated": True}).status_code == 201
    problem(send(transaction(ids)), 400)
    settings.INGEST_BODY_BYTES_MAX = 100
    problem(send(transaction(ids), **{"wsgi.input_terminated": True}), 413)


def test_a_record_too_large_for_the_topic_is_422(anna, ids, settings):
    settings.RECORD_BYTES_MAX = 300
    body = problem(anna.post("/ingest/transaction", transaction(ids, note="x" * 300)), 422)
    assert codes(body) == {"": "too_large"}


def test_an_error_of_the_program_is_a_problem_too_and_tells_nothing(anna, ids, monkeypatch):
    monkeypatch.setattr(api, "shared_producer", lambda: None)
    body = problem(anna.post("/ingest/transaction", transaction(ids)), 500)
    assert "NoneType" not in json.dumps(body)


# --- whose it is --------------------------------------------------------------------------------------------------


@pytest.fixture
def bens(ids):
    """A portfolio that Ben's record was first in."""
    portfolio_id = f"{ids}-ben"
    PortfolioChange.objects.create(portfolio_id=portfolio_id, owner="ben", change_seq=1, recorded_at=timezone.now())
    return portfolio_id


def test_nobody_submits_to_a_portfolio_of_somebody_else(anna, operator, bens):
    assert codes(problem(anna.post("/ingest/transaction", transaction(bens)), 403)) == {"/portfolio_id": "forbidden"}
    assert published("raw_transactions", bens) == []
    assert operator.post("/ingest/transaction", transaction(bens)).status_code == 201
    assert Caller("ben").post("/ingest/transaction", transaction(bens)).status_code == 201


def test_a_linked_leg_counts_too(anna, ids, bens):
    leg = transaction(ids, transaction_type="TRANSFER_IN", linked_portfolio_id=bens, linked_transaction_id="T9")
    body = problem(anna.post("/ingest/transaction", leg), 403)
    assert codes(body) == {"/linked_portfolio_id": "forbidden"}


def test_a_list_loses_only_what_is_forbidden(anna, ids, bens):
    answer = anna.post("/ingest/transactions", {"transactions": [transaction(ids), transaction(bens, "T2")]})
    assert answer.status_code == 207
    [rejected] = answer.json()["rejected"]
    assert (rejected["index"], rejected["transaction_id"]) == (1, "T2")
    assert codes(rejected) == {"/transactions/1/portfolio_id": "forbidden"}


def test_whose_portfolios_they_are_is_asked_once_a_request(anna, ids, django_assert_num_queries):
    rows = [transaction(f"{ids}-{number}") for number in range(20)]
    anna.post("/ingest/transactions", {"transactions": rows[:1]})
    with django_assert_num_queries(1):
        assert anna.post("/ingest/transactions", {"transactions": rows}).status_code == 201


@pytest.mark.parametrize("name", ["instruments", "market_prices", "fx_rates"])
def test_market_data_is_everybodys_and_takes_a_permission(anna, operator, name):
    entity = next(entity for entity in ENTITIES if entity.name == name)
    problem(anna.post(PATHS[name], {name: [entity.example]}), 403)
    assert operator.post(PATHS[name], {name: [entity.example]}).status_code == 201


def test_a_withdrawn_token_is_honoured_when_its_time_is_over(anna, ids, settings):
    settings.TOKEN_CACHE_S = 0.0
    assert anna.post("/ingest/transaction", transaction(ids)).status_code == 201
    anna.token.delete()
    problem(anna.post("/ingest/transaction", transaction(ids)), 401)


def test_a_session_needs_its_csrf_token(anna, ids):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(anna.user)
    problem(browser.post("/ingest/transaction", transaction(ids), content_type=JSON), 403)
    page = browser.get("/ingest/transaction", headers={"Accept": "text/html"})
    token = {"X-CSRFToken": page.cookies["csrftoken"].value}
    answer = browser.post("/ingest/transaction", transaction(ids), content_type=JSON, headers=token)
    assert answer.status_code == 201, answer.content


# --- lists --------------------------------------------------------------------------------------------------------


def as_csv(rows):
    text = io.StringIO()
    table = csv.DictWriter(text, rows[0].keys())
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("content_type", [JSON, NDJSON, CSV, f"{CSV}; charset=UTF-8"])
def test_a_list_in_any_format_is_accepted_whole(anna, ids, content_type, packed):
    rows = [transaction(ids, f"T{number}") for number in range(5)]
    bodies = {JSON: json.dumps({"transactions": rows}), NDJSON: "\n".join(map(json.dumps, rows)), CSV: as_csv(rows)}
    body = bodies[content_type.partition(";")[0]].encode()
    headers = {"Content-Encoding": "gzip"} if packed else {}
    answer = anna.post("/ingest/transactions", gzip.compress(body) if packed else body, content_type, **headers)
    assert answer.status_code == 201, answer.content
    assert answer.json() == {"accepted": 5, "rejected": []}
    assert [one.transaction_id for one in transactions_in(ids)] == ["T0", "T1", "T2", "T3", "T4"]


def test_ndjson_with_one_broken_line_loses_that_line(anna, ids):
    lines = [json.dumps(transaction(ids, "T0")), '{"transaction_id": "T1"', "", json.dumps(transaction(ids, "T2"))]
    answer = anna.post("/ingest/transactions", "\n".join(lines), NDJSON)
    assert answer.status_code == 207
    assert answer["Content-Type"] == JSON
    [rejected] = answer.json()["rejected"]
    assert rejected["index"] == 1
    assert codes(rejected) == {"/transactions/1": "malformed"}
    assert answer.json()["accepted"] == len(published("raw_transactions", ids)) == 2


def test_a_list_with_wrong_records_accepts_the_others(anna, ids):
    rows = [transaction(ids, "T0"), transaction(ids, "T1", quantity="1e30"), 7, transaction(ids, "T3")]
    answer = anna.post("/ingest/transactions", {"transactions": rows})
    assert answer.status_code == 207
    assert answer.json()["accepted"] == 2
    assert [
        (one["index"], one["portfolio_id"], one["transaction_id"], codes(one)) for one in answer.json()["rejected"]
    ] == [
        (1, ids, "T1", {"/transactions/1/quantity": "digits"}),
        (2, None, None, {"/transactions/2": "malformed"}),
    ]


def test_a_list_without_an_acceptable_record_is_a_problem(anna):
    body = problem(anna.post("/ingest/transactions", {"transactions": [{}, transaction("P", quantity=-1)]}), 422)
    assert body["accepted"] == 0
    assert [one["index"] for one in body["rejected"]] == [0, 1]
    assert "/transactions/1/quantity" in codes(body)


def test_the_problem_of_a_long_wrong_list_shows_the_first_errors_and_names_every_record(anna):
    body = problem(anna.post("/ingest/transactions", "{}\n" * 1000, NDJSON), 422)
    assert len(body["errors"]) == api.ERRORS_SHOWN_MAX
    assert len(body["rejected"]) == 1000


@pytest.mark.parametrize(
    ("body", "content_type", "status", "errors"),
    [
        ("{", JSON, 400, {}),
        ("[]", JSON, 422, {"": "invalid"}),
        ("{}", JSON, 422, {"/transactions": "required"}),
        ('{"transactions": []}', JSON, 422, {"/transactions": "required"}),
        ("\n\n", NDJSON, 422, {"/transactions": "required"}),
        ("transaction_id\n", CSV, 422, {"/transactions": "required"}),
        ("transaction_id,colour\nT,red\n", CSV, 422, {"/colour": "unknown_column"}),
        (b"\xff\xfe", CSV, 400, {}),
        ("x", "text/plain", 415, {}),
        ("a=b", "application/x-www-form-urlencoded", 415, {}),
    ],
)
def test_a_body_that_is_no_list_is_refused_whole(anna, body, content_type, status, errors):
    assert codes(problem(anna.post("/ingest/transactions", body, content_type), status)) == errors


def test_the_number_of_records_is_bounded(anna, ids, settings):
    settings.INGEST_RECORDS_MAX = 2
    body = problem(anna.post("/ingest/transactions", {"transactions": [transaction(ids)] * 3}), 413)
    assert "at most 2 records" in body["detail"]
    assert published("raw_transactions", ids) == []


LEFT_OUT = {"currency", "base_currency", "rate", "weight"}


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda entity: entity.name)
@pytest.mark.parametrize("content_type", [JSON, NDJSON, CSV])
def test_every_entity_comes_in_every_format_and_names_its_own_ids(operator, entity, content_type):
    wrong = {name: value for name, value in entity.example.items() if name not in LEFT_OUT}
    rows = [entity.example, {**dict.fromkeys(entity.example, ""), **wrong} if content_type == CSV else wrong]
    bodies = {JSON: json.dumps({entity.name: rows}), NDJSON: "\n".join(map(json.dumps, rows)), CSV: as_csv(rows)}
    answer = operator.post(PATHS[entity.name], bodies[content_type], content_type)
    assert answer.status_code == 207, answer.content
    [rejected] = answer.json()["rejected"]
    assert rejected["index"] == 1
    assert {name: rejected[name] for name in entity.known_by} == {name: wrong[name] for name in entity.known_by}
    assert set(codes(rejected).values()) == {"required"}


def test_the_longest_list_takes_no_more_than_its_share(anna, ids):
    lines = "\n".join(json.dumps(transaction(f"{ids}-{number % 50}", f"T{number}")) for number in range(20_000))
    answer = anna.post("/ingest/transactions", lines, NDJSON)
    assert answer.json() == {"accepted": 20_000, "rejected": []}


# --- the broker is away -------------------------------------------------------------------------------------------


@pytest.fixture
def broker_away(settings, monkeypatch):
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"
    producer = KafkaProducer(timeout_s=0.3)
    monkeypatch.setattr(api, "shared_producer", lambda: producer)
    yield
    producer.close()


@pytest.mark.usefixtures("broker_away")
@pytest.mark.parametrize("path", ["/ingest/transaction", "/ingest/transactions"])
def test_without_acknowledgement_there_is_no_201(anna, ids, path):
    body = transaction(ids) if path == "/ingest/transaction" else {"transactions": [transaction(ids)]}
    answer = anna.post(path, body)
    said = problem(answer, 503)
    assert int(answer["Retry-After"]) > 0
    assert "unknown whether what was sent arrived" in said["detail"]
    assert "a repeat has no second effect" in said["detail"]


# --- the same request twice ---------------------------------------------------------------------------------------

KEY = {"Idempotency-Key": "key-1"}


def test_the_same_key_and_body_get_the_first_answer_again(anna, ids):
    first = anna.post("/ingest/transaction", transaction(ids), **KEY)
    second = anna.post("/ingest/transaction", transaction(ids), **KEY)
    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert len(published("raw_transactions", ids)) == 1


def test_a_refusal_is_given_again_too(anna, ids):
    wrong = transaction(ids, quantity=-1)
    first = problem(anna.post("/ingest/transaction", wrong, **KEY), 422)
    answer = anna.post("/ingest/transaction", wrong, **KEY)
    assert answer["Idempotency-Replayed"] == "true"
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json() == first


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (lambda ids: {"transactions": [transaction(ids)]}, JSON),
        (lambda ids: json.dumps(transaction(ids)), NDJSON),
        (lambda ids: as_csv([transaction(ids)]), CSV),
    ],
)
def test_lists_too(anna, ids, body, content_type):
    for replayed in (False, True):
        answer = anna.post("/ingest/transactions", body(ids), content_type, **KEY)
        assert answer.json() == {"accepted": 1, "rejected": []}
        assert ("Idempotency-Replayed" in answer) is replayed
    assert len(published("raw_transactions", ids)) == 1


def test_another_body_under_the_same_key_is_a_conflict(anna, ids):
    anna.post("/ingest/transaction", transaction(ids), **KEY)
    body = problem(anna.post("/ingest/transaction", transaction(ids, quantity=11), **KEY), 409)
    assert body["type"] == "urn:problem:idempotency-key-reused"


def test_a_key_belongs_to_its_user_and_its_path(anna, operator, ids):
    assert anna.post("/ingest/transaction", transaction(ids), **KEY).status_code == 201
    for answer in (
        operator.post("/ingest/transaction", transaction(ids, quantity=2), **KEY),
        anna.post("/ingest/transactions", {"transactions": [transaction(ids)]}, **KEY),
    ):
        assert answer.status_code == 201
        assert "Idempotency-Replayed" not in answer


def claim_of(anna, body, now):
    raw = Body(json.dumps(body).encode(), JSON, "")
    return idempotency.claim_or_answer(user=anna.user, path="/ingest/transaction", key="key-1", body=raw, now=now)


def test_while_the_first_is_in_hand_a_second_waits(anna, ids):
    claim_of(anna, transaction(ids), timezone.now())
    answer = anna.post("/ingest/transaction", transaction(ids), **KEY)
    assert problem(answer, 409)["type"] == "urn:problem:idempotency-key-in-use"
    assert int(answer["Retry-After"]) > 0


def test_a_claim_whose_holder_is_gone_is_taken_over_and_the_holder_comes_too_late(anna, ids, settings):
    lost = claim_of(anna, transaction(ids), timezone.now() - datetime.timedelta(seconds=settings.IDEMPOTENCY_LEASE_S))
    assert isinstance(lost, idempotency.Claim)
    answer = anna.post("/ingest/transaction", transaction(ids), **KEY)
    assert answer.status_code == 201
    idempotency.keep(lost, status=500, answer=b"{}")
    idempotency.let_go(lost)
    assert anna.post("/ingest/transaction", transaction(ids), **KEY).content == answer.content


def test_after_a_day_the_key_is_free_again_and_swept(anna, ids, settings):
    assert anna.post("/ingest/transaction", transaction(ids), **KEY).status_code == 201
    IdempotencyKey.objects.update(claimed_at=timezone.now() - datetime.timedelta(hours=settings.IDEMPOTENCY_KEPT_HOURS))
    assert "Idempotency-Replayed" not in anna.post("/ingest/transaction", transaction(ids, quantity=2), **KEY)
    IdempotencyKey.objects.update(claimed_at=timezone.now() - datetime.timedelta(hours=settings.IDEMPOTENCY_KEPT_HOURS))
    idempotency.sweep(now=timezone.now())
    assert not IdempotencyKey.objects.exists()


def test_an_unknown_outcome_is_not_kept(anna, ids, monkeypatch):
    class Away:
        def publish(self, records):
            raise BrokerUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(api, "shared_producer", Away)
        problem(anna.post("/ingest/transaction", transaction(ids), **KEY), 503)
    answer = anna.post("/ingest/transaction", transaction(ids), **KEY)
    assert answer.status_code == 201
    assert "Idempotency-Replayed" not in answer


def test_without_the_header_nothing_is_asked_of_the_database(operator, ids, django_assert_num_queries):
    operator.post("/ingest/transaction", transaction(ids))
    with django_assert_num_queries(0):
        assert operator.post("/ingest/transaction", transaction(ids)).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_published(anna, ids):
    def send(_):
        try:
            return anna.post("/ingest/transaction", transaction(ids), **KEY)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert any(answer.status_code == 201 for answer in answers)
    assert len(published("raw_transactions", ids)) == 1


# --- how often ----------------------------------------------------------------------------------------------------


def test_beyond_the_rate_there_is_429_with_a_time_to_come_back(anna, ids, settings):
    settings.INGEST_RATE_LIMIT = "2/minute"
    statuses = [anna.post("/ingest/transaction", transaction(ids)).status_code for _ in range(2)]
    answer = anna.post("/ingest/transaction", transaction(ids))
    assert statuses == [201, 201]
    problem(answer, 429)
    assert 0 < int(answer["Retry-After"]) <= 60


# --- in a browser -------------------------------------------------------------------------------------------------


@pytest.fixture
def browser(anna):
    client = Client()
    client.force_login(anna.user)
    return client


@pytest.mark.parametrize("path", ["/ingest/transaction", *PATHS.values()])
def test_a_browser_sees_a_page_with_a_form_that_holds_the_example(browser, path):
    page = browser.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert page["Content-Type"].startswith("text/html")
    html = page.content.decode()
    assert 'name="_content"' in html
    entity = next((entity for entity in ENTITIES if PATHS[entity.name] == path), TRANSACTIONS)
    for name, value in entity.example.items():
        assert escape(f'"{name}": {json.dumps(value)}') in html
    assert ('name="transaction_id"' in html) is (path == "/ingest/transaction")


def test_the_form_itself_can_be_sent(browser, ids):
    fields = {name: str(value) for name, value in transaction(ids, version=2, note="").items()}
    page = browser.post("/ingest/transaction", fields, headers={"Accept": "text/html"})
    assert page.status_code == 201, page.content
    assert "accepted" in page.content.decode()
    assert [one.version for one in transactions_in(ids)] == [2]


def test_a_form_that_is_refused_keeps_what_was_typed(browser, ids):
    page = browser.post(
        "/ingest/transaction", {"portfolio_id": ids, "quantity": "ten"}, headers={"Accept": "text/html"}
    )
    assert page.status_code == 422
    html = page.content.decode()
    assert f'value="{ids}"' in html
    assert 'value="ten"' in html
    assert "/quantity" in html


# --- around the door ----------------------------------------------------------------------------------------------


def test_the_schema_describes_bodies_types_and_refusals(client):
    paths = client.get("/schema", headers={"Accept": "application/json"}).json()["paths"]
    assert paths.keys() >= {"/ingest/transaction", *PATHS.values()}
    for path in PATHS.values():
        post = paths[path]["post"]
        assert post["requestBody"]["content"].keys() == {JSON, NDJSON, CSV}
        assert post["responses"].keys() >= {"201", "207", "400", "401", "403", "409", "413", "415", "422", "429", "503"}
        assert post["responses"]["422"]["content"].keys() == {"application/problem+json"}
        assert "get" not in paths[path]


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/metrics"])
def test_anybody_may_look_around(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_readiness_asks_everything_the_process_needs(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200, answer.content
    assert answer.json()["checks"].keys() == {"database", "migrations", "broker", "workers"}

    StoppedWorker.objects.create(consumer_group="ledger", reason="100 in a row", stopped_at=timezone.now())
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["workers"] == {
        "ok": False,
        "detail": "stopped and waiting for a person: ledger",
    }


@pytest.mark.django_db(transaction=True)
def test_readiness_does_not_wait_for_a_broker_that_is_away(client, settings):
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"
    settings.READINESS_TIMEOUT_S = 0.5
    started = timezone.now()
    answer = client.get("/readyz")
    assert timezone.now() - started < datetime.timedelta(seconds=2)
    assert answer.status_code == 503
    assert not answer.json()["checks"]["broker"]["ok"]


def test_raw_topics_are_those_of_the_contract():
    assert RAW_TOPICS == ("raw_transactions", "raw_market_data")
