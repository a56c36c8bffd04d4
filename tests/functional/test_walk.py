"""The walk of a transaction through the real processes, as whoever runs the system sees it."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from django.conf import settings

from portfolio.client import Refusal
from portfolio.management.commands.run_workers import WORKERS
from portfolio.models import DeadLetter
from portfolio.streaming.broker import Record
from portfolio.streaming.kafka import read_topic
from portfolio.streaming.messages import (
    PositionCalculationDone,
    RawTransaction,
    SubmittedTransaction,
    TransactionsRecorded,
    encode,
)
from positions.models import DailyValuation
from tests.pipeline import rows_of
from tests.system import MANAGE, System, eventually, running_system
from transactions.models import Transaction

WALK_TIMEOUT_S = 15.0
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


@pytest.fixture(scope="module")
def system(django_db_blocker: Any) -> Iterator[System]:
    """One for all the tests here; each uses portfolios of its own."""
    with django_db_blocker.unblock(), running_system() as running:
        yield running


def test_the_smallest_transaction_is_on_the_topic_in_the_table_in_the_admin_and_a_position(system: System):
    started = time.monotonic()
    receipt = system.client.post("/ingest/transaction", json.dumps(SMALLEST).encode())
    assert (receipt["status"], receipt["topic"]) == ("accepted", "raw_transactions")

    (record,) = on_topic(RawTransaction.TOPIC, key=b"PORT001")
    assert (record.partition, record.offset) == (receipt["partition"], receipt["offset"])
    assert json.loads(record.value or b"")["transaction"]["transaction_id"] == "TRN001"

    answer = position_answer(system, "PORT001")
    assert time.monotonic() - started < WALK_TIMEOUT_S
    (position,) = answer["positions"]
    # 10 x 150 + 5 of fees
    assert (position["security_id"], position["quantity"], position["cost_basis"]) == ("AAPL", "10", "1505")

    (row,) = Transaction.objects.filter(portfolio_id="PORT001")
    assert (row.transaction_id, row.version, row.quantity, row.trade_fee) == ("TRN001", 1, 10, 5)
    assert "TRN001" in admin_page(system, "/admin/transactions/transaction/?q=PORT001")


def test_daily_values_follow_trades_and_a_corrected_close_follows_into_them(system: System):
    trade = {**SMALLEST, "portfolio_id": "VALUED", "instrument_id": "VALUE-1"}
    receipt = system.client.post("/ingest/transaction", json.dumps(trade).encode())
    assert receipt["status"] == "accepted"
    first = stored_value("VALUED", "2025-01-15")
    # Not tracked: the holding alone, 10 at the own 150.
    assert eventually(first, timeout_s=WALK_TIMEOUT_S, what="the value of the day") == Decimal(1500)
    for version, price in ((1, "160"), (2, "170")):
        quote = {"security_id": "VALUE-1", "price_date": "2025-01-20", "price": price, "currency": "USD"}
        prices = {"market_prices": [{**quote, "version": version}]}
        system.client.post("/ingest/market-prices", json.dumps(prices).encode())
        eventually(
            partial(is_valued, "VALUED", "2025-01-21", Decimal(price) * 10),
            timeout_s=WALK_TIMEOUT_S,
            what=f"the value at {price}",
        )
    answer = system.client.get("/api/v1/portfolios/VALUED/valuations/?start=2025-01-19&end=2025-01-20")
    assert [(row["date"], row["value"]) for row in answer["results"]] == [
        ("2025-01-19", "1500"),
        ("2025-01-20", "1700"),
    ]
    (kinds,) = {tuple(sorted(row["kind"] for row in calculations(system, "VALUED")))}
    assert kinds == ("POSITIONS", "VALUATIONS")


def stored_value(portfolio_id: str, day: str) -> Callable[[], Decimal | None]:
    rows = DailyValuation.objects.filter(portfolio_id=portfolio_id, valuation_date=day)
    return lambda: rows.all().values_list("value", flat=True).first()


def is_valued(portfolio_id: str, day: str, value: Decimal) -> bool:
    return stored_value(portfolio_id, day)() == value


def calculations(system: System, portfolio_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = system.client.get(f"/api/v1/calculations/?portfolio_id={portfolio_id}")["results"]
    return found


def test_the_order_and_the_number_of_times_records_arrive_change_no_figure(system: System):
    once = history("ONCE")
    for portfolio_id, records in {
        "ONCE": once,
        "TWICE": [*once, *once],
        "REVERSED": once[::-1],
        "DOUBLED": [record for record in once for _ in range(2)],
    }.items():
        lines = [json.dumps({**record, "portfolio_id": portfolio_id}) for record in records]
        answer = system.client.post("/ingest/transactions", "\n".join(lines).encode(), "application/x-ndjson")
        assert answer == {"accepted": len(records), "rejected": []}
    expected = without_names(position_answer(system, "ONCE", transactions=len(once)))
    assert expected["positions"]
    for portfolio_id in ("TWICE", "REVERSED", "DOUBLED"):
        found = without_names(position_answer(system, portfolio_id, transactions=len(once)))
        assert found == expected, portfolio_id
        lots = system.client.every(f"/api/v1/portfolios/{portfolio_id}/lots/")
        assert without_names(lots) == without_names(system.client.every("/api/v1/portfolios/ONCE/lots/"))
    assert not DeadLetter.objects.filter(portfolio_id__in=["ONCE", "TWICE", "REVERSED", "DOUBLED"]).exists()


def test_poisoned_records_become_a_letter_each_and_their_neighbours_are_booked(system: System):
    good = [encode(RawTransaction(transaction=deposit("NEIGHBOUR", f"T{number}"))) for number in range(9)]
    poison = poisoned()
    first = produce(good, poison)
    assert letters_at(first) == {offset: code for offset, (code, *_) in zip(first, poison, strict=True)}
    assert all(DeadLetter.objects.values_list("reason", flat=True))
    answer = position_answer(system, "NEIGHBOUR", transactions=9)
    assert answer["pending"] is None
    letters_before = DeadLetter.objects.count()

    second = produce(good, poison)
    assert set(first).isdisjoint(second)
    assert sorted(letters_at(second).values()) == sorted(letters_at(first).values())
    assert DeadLetter.objects.count() == letters_before + len(poison), "one more for each, and no other"
    assert Transaction.objects.filter(portfolio_id="NEIGHBOUR").count() == 9


def test_another_content_under_the_same_id_and_version_becomes_a_letter_with_both(system: System):
    first = {**SMALLEST, "portfolio_id": "CONFLICT"}
    for content in (first, {**first, "quantity": 11}):
        system.client.post("/ingest/transaction", json.dumps(content).encode())
    letter = eventually(
        lambda: DeadLetter.objects.filter(code="CONFLICT", portfolio_id="CONFLICT").first(),
        timeout_s=WALK_TIMEOUT_S,
        what="the letter",
    )
    assert json.loads(bytes(letter.value))["transaction"]["quantity"] == "11"
    assert letter.context["standing"]["quantity"] == "10"
    (position,) = position_answer(system, "CONFLICT")["positions"]
    assert position["quantity"] == "10"


def test_the_clients_request_id_travels_all_the_way(system: System):
    request = urllib.request.Request(
        f"{system.client.address}/ingest/transaction",
        data=json.dumps({**SMALLEST, "portfolio_id": "TRACED"}).encode(),
        headers={
            "Authorization": f"Token {system.client.token}",
            "Content-Type": "application/json",
            "X-Request-ID": "order-4711",
        },
    )
    with urllib.request.urlopen(request, timeout=10) as reply:
        assert reply.headers["X-Request-ID"] == "order-4711"
    position_answer(system, "TRACED")
    for topic in (RawTransaction.TOPIC, TransactionsRecorded.TOPIC, PositionCalculationDone.TOPIC):
        records = eventually(
            partial(on_topic, topic, key=b"TRACED"), timeout_s=WALK_TIMEOUT_S, what=f"a record on {topic}"
        )
        assert {record.headers.get("request_id") for record in records} == {"order-4711"}, topic


def test_a_replay_of_every_topic_changes_nothing(system: System):
    portfolio_ids = sorted(set(Transaction.objects.values_list("portfolio_id", flat=True)))
    assert len(portfolio_ids) >= 5, "what the tests above have left"
    system.settled(portfolio_ids, timeout_s=WALK_TIMEOUT_S)
    before = {portfolio_id: rows_of(portfolio_id) for portfolio_id in portfolio_ids}
    ledger, letters = sorted(ledger_rows()), sorted(DeadLetter.objects.values_list("pk", flat=True))

    # Groups nobody has heard of start at the beginning of every topic, beside those that work.
    for worker in WORKERS:
        done = run_once(system, worker, KAFKA_GROUP_PREFIX=f"{settings.KAFKA_GROUP_PREFIX}replay.")
        assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stderr

    system.settled(portfolio_ids, timeout_s=WALK_TIMEOUT_S)
    assert {portfolio_id: rows_of(portfolio_id) for portfolio_id in portfolio_ids} == before
    assert sorted(ledger_rows()) == ledger
    assert sorted(DeadLetter.objects.values_list("pk", flat=True)) == letters


def test_every_worker_ends_cleanly_within_ten_seconds_of_sigterm(system: System):
    pids = {worker: system.pid(worker) for worker in WORKERS}
    letters = DeadLetter.objects.count()
    started = time.monotonic()
    for worker in WORKERS:
        system.send(worker, signal.SIGTERM)
    for worker in WORKERS:
        eventually(
            partial(system.said, f"{worker} ", "| ended with exit code 0 after"),
            timeout_s=10 - (time.monotonic() - started),
            what=f"{worker} to end with exit code 0",
        )
    assert all(system.pid(worker) != pids[worker] for worker in WORKERS), "and is started again"
    system.client.post("/ingest/transaction", json.dumps({**SMALLEST, "portfolio_id": "AFTERWARDS"}).encode())
    position_answer(system, "AFTERWARDS")
    assert DeadLetter.objects.count() == letters


# --- what is sent -------------------------------------------------------------------------------------------------


def deposit(portfolio_id: str, transaction_id: str) -> SubmittedTransaction:
    return SubmittedTransaction(
        portfolio_id=portfolio_id,
        transaction_id=transaction_id,
        transaction_date="2025-01-15",
        transaction_type="DEPOSIT",
        gross_transaction_amount=Decimal(100),
        currency="USD",
    )


def history(portfolio_id: str) -> list[dict[str, Any]]:
    """Buys and sells of two securities, a split, a dividend, a correction, a cancellation; two at a day."""
    common = {"portfolio_id": portfolio_id, "currency": "USD"}
    records: list[dict[str, Any]] = []

    def add(transaction_type: str, day: int, **fields: Any) -> dict[str, Any]:
        number = len(records) + 1
        fields = {"transaction_id": f"T{number:02}", "transaction_date": f"2025-01-{day:02}", **fields}
        records.append({**common, "transaction_type": transaction_type, **fields})
        return records[-1]

    add("DEPOSIT", 1, gross_transaction_amount="100000")
    for day in range(2, 12):
        for security_id in ("AAPL", "MSFT"):
            add("BUY", day, security_id=security_id, quantity=f"{day}.5", price=f"{100 + day}.25", trade_fee="1")
    add("SPLIT", 12, security_id="AAPL", ratio_new="2", ratio_old="1")
    corrected = add("SELL", 13, security_id="AAPL", quantity="50", price="60")
    add("DIVIDEND", 14, security_id="MSFT", gross_transaction_amount="12.5", tax="1.25")
    cancelled = add("SELL", 14, security_id="MSFT", quantity="3", price="110")
    add("FEE", 15, gross_transaction_amount="9.99")
    records.append({**corrected, "version": 2, "quantity": "40", "trade_fee": "2"})
    records.append({**cancelled, "version": 2, "status": "CANCELLED"})
    return records


def poisoned() -> list[tuple[str, bytes | None, bytes | None]]:
    """(the code it is set aside with, key, value), all meant for NEIGHBOUR's partition."""
    text = encode(RawTransaction(transaction=deposit("NEIGHBOUR", "T-POISON")))
    key = b"NEIGHBOUR"
    return [
        ("NOT_UTF8", key, text.replace(b"T-POISON", b"T-\xff\xfe")),
        ("INVALID", key, text.replace(b'"100"', b'"NaN"')),
        ("INVALID", key, text.replace(b'"100"', b'"' + b"7" * 40 + b'"')),
        ("INVALID", key, text.replace(b"T-POISON", b"T-\\u0000")),
        ("NO_KEY", None, text),
        ("NO_VALUE", key, None),
        ("UNKNOWN_SCHEMA", key, text.replace(b"raw_transaction.v1", b"raw_transaction.v9")),
        ("WRONG_KEY", b"SOMEBODY", text),
    ]


def produce(good: list[bytes], poison: list[tuple[str, bytes | None, bytes | None]]) -> list[int]:
    """Straight to one partition, as some other program would, each between two good ones; the offsets of the bad."""
    offsets: dict[int, int] = {}

    def keep_offset(number: int, _error: object, message: Message) -> None:
        offsets[number] = message.offset() or 0

    producer = Producer({"bootstrap.servers": settings.KAFKA_BOOTSTRAP_SERVERS})
    topic = f"{settings.KAFKA_TOPIC_PREFIX}{RawTransaction.TOPIC}"
    for number, (_, key, value) in enumerate(poison):
        producer.produce(topic, good[number], b"NEIGHBOUR", partition=0)
        producer.produce(topic, value, key, partition=0, on_delivery=partial(keep_offset, number))
    producer.produce(topic, good[-1], b"NEIGHBOUR", partition=0)
    assert producer.flush(10) == 0
    return [offsets[number] for number in range(len(poison))]


def run_once(system: System, worker: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MANAGE, worker, "--once"],
        env={**os.environ, **system.env, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# --- what is found ------------------------------------------------------------------------------------------------


def on_topic(topic: str, *, key: bytes) -> list[Record]:
    return [record for record in read_topic(topic, records_max=10_000) if record.key == key]


def position_answer(system: System, portfolio_id: str, *, transactions: int = 1) -> Any:
    """The portfolio's positions as soon as so many transactions are in the ledger and nothing is pending."""

    def answer() -> Any:
        try:
            found = system.positions(portfolio_id)
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            return None
        booked = Transaction.objects.filter(portfolio_id=portfolio_id).count() == transactions
        return found if booked and not found["pending"] else None

    return eventually(answer, timeout_s=WALK_TIMEOUT_S, what=f"the positions of {portfolio_id}")


def letters_at(offsets: list[int]) -> dict[int, str]:
    """The codes of the letters of these offsets, as soon as each has one."""
    found = DeadLetter.objects.filter(topic=RawTransaction.TOPIC, partition=0, offset__in=offsets)
    eventually(lambda: found.count() >= len(offsets), timeout_s=WALK_TIMEOUT_S, what="the letters")
    rows = list(found.values_list("offset", "code"))
    assert len(rows) == len(offsets), "exactly one each"
    return dict(rows)


def ledger_rows() -> list[tuple[Any, ...]]:
    return list(Transaction.objects.values_list("portfolio_id", "transaction_id", "version", "change_seq"))


def without_names(answer: Any) -> Any:
    """The same whatever the portfolio is called, in which change a row was recorded, and when one asked."""
    if isinstance(answer, dict):
        own = ("portfolio_id", "id", "known_at")
        return {name: without_names(value) for name, value in answer.items() if name not in own}
    return [without_names(one) for one in answer] if isinstance(answer, list) else answer


def admin_page(system: System, path: str) -> str:
    """A page of the admin, logged in through its own form."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    login = f"{system.client.address}/admin/login/?next={urllib.parse.quote(path)}"
    with opener.open(login, timeout=10) as reply:
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', reply.read().decode())
    form = {
        "username": system.user["username"],
        "password": system.user["password"],
        "csrfmiddlewaretoken": token,
        "next": path,
    }
    request = urllib.request.Request(
        login, data=urllib.parse.urlencode(form).encode(), headers={"Referer": system.client.address}
    )
    with opener.open(request, timeout=10) as reply:
        return str(reply.read().decode())
