"""Reading the ledger over REST."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.factories import PortfolioChangeFactory, TransactionFactory, UserFactory, owned_portfolio

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY = datetime.date(2025, 1, 31), datetime.date(2025, 2, 28)
MONDAY, TUESDAY = (datetime.datetime(2025, 3, day, 9, tzinfo=datetime.UTC) for day in (3, 4))
HERS = "/api/v1/portfolios/HERS/transactions/"
ALL = "/api/v1/transactions/"


def client(user):
    caller = APIClient()
    caller.force_authenticate(user)
    return caller


@pytest.fixture
def anna():
    user = UserFactory.create(username="anna")
    owned_portfolio(user, portfolio_id="HERS")
    return user


@pytest.fixture
def ben():
    user = UserFactory.create(username="ben")
    owned_portfolio(user, portfolio_id="HIS")
    return user


@pytest.fixture
def auditor():
    return UserFactory(permissions=["portfolio.view_any_portfolio"])


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [row["transaction_id"] for row in answer.json()["results"]]


def pages(caller, address, direction="next"):
    """The ids of every page from an address on."""
    while address:
        answer = caller.get(address)
        yield ids(answer)
        address = answer.json()[direction]


# --- what is listed -----------------------------------------------------------------------------------------------


def test_a_portfolio_without_transactions_gives_an_empty_list(anna):
    answer = client(anna).get(HERS)
    assert answer.status_code == 200
    assert answer.json() == {"next": None, "previous": None, "results": []}


def test_a_transaction_is_read_in_the_words_of_ingestion_with_plain_decimals(anna):
    TransactionFactory(
        portfolio_id="HERS",
        transaction_id="T1",
        quantity=Decimal("1200.500"),
        price=Decimal(150),
        trade_fee=Decimal("0E-18"),
        gross_transaction_amount=None,
    )
    (row,) = client(anna).get(HERS).json()["results"]
    assert row["security_id"] == row["instrument_id"] == "AAPL"
    assert (row["quantity"], row["price"], row["trade_fee"]) == ("1200.5", "150", "0")
    assert row["gross_transaction_amount"] is None
    assert (row["transaction_date"], row["version"], row["status"]) == ("2025-01-15", 1, "BOOKED")
    assert "content_hash" not in row
    assert "submitted" not in row


def test_only_what_counts_is_listed(anna):
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", version=1)
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", version=2, quantity=Decimal(12))
    TransactionFactory(portfolio_id="HERS", transaction_id="T2", version=1)
    TransactionFactory(portfolio_id="HERS", transaction_id="T2", version=2, status="CANCELLED")
    (row,) = client(anna).get(HERS).json()["results"]
    assert (row["transaction_id"], row["version"], row["quantity"]) == ("T1", 2, "12")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [("T1", 2)]),
        ({"status": "CANCELLED"}, [("T2", 2)]),
        ({"status": "ALL"}, [("T1", 2), ("T2", 2)]),
        ({"versions": "all"}, [("T1", 1), ("T1", 2), ("T2", 1), ("T2", 2)]),
        ({"versions": "all", "status": "CANCELLED"}, [("T2", 2)]),
        ({"known_at": "2025-03-03T09:00:00Z"}, [("T1", 1), ("T2", 1)]),
        ({"known_at": "2025-03-03T08:59:59Z"}, []),
        ({"known_at": "2025-03-03T09:00:00Z", "versions": "all"}, [("T1", 1), ("T2", 1)]),
    ],
)
def test_versions_cancellations_and_what_was_known_can_be_asked_for(anna, query, expected):
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", version=1, recorded_at=MONDAY)
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", version=2, recorded_at=TUESDAY)
    TransactionFactory(portfolio_id="HERS", transaction_id="T2", version=1, recorded_at=MONDAY)
    TransactionFactory(portfolio_id="HERS", transaction_id="T2", version=2, recorded_at=TUESDAY, status="CANCELLED")
    rows = client(anna).get(HERS, query).json()["results"]
    assert [(row["transaction_id"], row["version"]) for row in rows] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"transaction_type": "BUY"}, ["T1"]),
        ({"transaction_type": ["BUY", "SELL"]}, ["T1", "T2"]),
        ({"security_id": "AAPL"}, ["T1", "T2"]),
        ({"currency": "EUR"}, ["T3"]),
        ({"transaction_id": "T2"}, ["T2"]),
        ({"start": "2025-02-01"}, ["T2", "T3"]),
        ({"end": "2025-01-31"}, ["T1"]),
        ({"start": "2025-03-01", "end": "2025-02-01"}, []),
        ({"security_id": "AAPL", "start": "2025-02-01"}, ["T2"]),
        ({"ordering": "-transaction_date"}, ["T3", "T2", "T1"]),
    ],
)
def test_the_list_can_be_narrowed_and_turned(anna, query, expected):
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", transaction_date=JANUARY)
    TransactionFactory(portfolio_id="HERS", transaction_id="T2", transaction_date=FEBRUARY, transaction_type="SELL")
    TransactionFactory(
        portfolio_id="HERS",
        transaction_id="T3",
        transaction_date=FEBRUARY,
        transaction_type="DEPOSIT",
        security_id=None,
        currency="EUR",
    )
    assert ids(client(anna).get(HERS, query)) == expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("transaction_type", "GIFT"),
        ("start", "yesterday"),
        ("known_at", "noon"),
        ("status", "LOST"),
        ("versions", "3"),
        ("security_id", "A\x00"),
        ("ordering", "price"),
        ("page_size", "0"),
        ("page_size", "many"),
        ("cursor", "nonsense"),
        ("cursor", "WyJ0cmFuc2FjdGlvbl9kYXRlIixmYWxzZSxbMSwyLDNdXQ"),
        ("cursor", "é"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_refused_by_name(anna, name, value):
    answer = client(anna).get(HERS, {name: value})
    assert answer.status_code == 422
    assert answer["Content-Type"] == "application/problem+json"
    assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


# --- paging -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ordering", ["transaction_date", "-transaction_date"])
@pytest.mark.parametrize("size", [1, 3, 7])
def test_paging_visits_every_row_exactly_once_among_many_of_one_day(anna, ordering, size):
    for number in range(7):
        day = JANUARY if number < 5 else FEBRUARY
        TransactionFactory(portfolio_id="HERS", transaction_id=f"T{number}", transaction_date=day)
    whole = [f"T{number}" for number in range(7)]
    if ordering.startswith("-"):
        whole.reverse()
    seen = list(pages(client(anna), f"{HERS}?page_size={size}&ordering={ordering}"))
    assert [len(page) for page in seen[:-1]] == [size] * (len(seen) - 1)
    assert list(itertools.chain(*seen)) == whole


def test_paging_all_versions_visits_every_version_exactly_once(anna):
    for number, version in itertools.product(range(3), range(1, 4)):
        TransactionFactory(portfolio_id="HERS", transaction_id=f"T{number}", version=version)
    seen = itertools.chain(*pages(client(anna), f"{HERS}?versions=all&page_size=2"))
    assert list(seen) == ["T0"] * 3 + ["T1"] * 3 + ["T2"] * 3


def test_one_can_page_back(anna):
    for number in range(5):
        TransactionFactory(portfolio_id="HERS", transaction_id=f"T{number}")
    caller = client(anna)
    second = caller.get(caller.get(f"{HERS}?page_size=2").json()["next"])
    third = caller.get(second.json()["next"])
    assert ids(third) == ["T4"]
    assert list(pages(caller, third.json()["previous"], "previous")) == [["T2", "T3"], ["T0", "T1"]]


def test_what_is_recorded_meanwhile_neither_repeats_nor_hides_a_row(anna):
    for number in range(2, 6):
        TransactionFactory(portfolio_id="HERS", transaction_id=f"T{number}")
    caller = client(anna)
    first = caller.get(f"{HERS}?page_size=2")
    TransactionFactory(portfolio_id="HERS", transaction_id="T1")
    assert [*ids(first), *ids(caller.get(first.json()["next"]))] == ["T2", "T3", "T4", "T5"]


def test_a_page_has_at_most_a_thousand_rows(anna, monkeypatch):
    monkeypatch.setattr("portfolio.pagination.KeysetPagination.page_size_max", 2)
    for _ in range(3):
        TransactionFactory(portfolio_id="HERS")
    answer = client(anna).get(HERS, {"page_size": "5000"})
    assert len(ids(answer)) == 2
    assert answer.json()["next"]


def test_a_cursor_belongs_to_its_order(anna):
    for _ in range(2):
        TransactionFactory(portfolio_id="HERS")
    following = client(anna).get(f"{HERS}?page_size=1").json()["next"]
    assert client(anna).get(f"{following}&ordering=-transaction_date").status_code == 422


@pytest.mark.parametrize(
    "ordering",
    ["portfolio_id", "-portfolio_id", "recorded_at", "-recorded_at", "transaction_date", "-transaction_date"],
)
@pytest.mark.parametrize("reader", ["anna", "auditor"])
@pytest.mark.usefixtures("ben")
def test_paging_across_portfolios_visits_every_row_exactly_once(anna, auditor, ordering, reader):
    owned_portfolio(anna, portfolio_id="HERS-TOO")
    for number in range(9):
        TransactionFactory(portfolio_id=("HERS", "HERS-TOO", "HIS")[number % 3], transaction_id=f"T{number}")
    expected = {f"T{number}" for number in range(9) if reader == "auditor" or number % 3 != 2}
    caller = client({"anna": anna, "auditor": auditor}[reader])
    seen = list(itertools.chain(*pages(caller, f"{ALL}?page_size=2&ordering={ordering}")))
    assert len(seen) == len(set(seen))
    assert set(seen) == expected


# --- one ----------------------------------------------------------------------------------------------------------


def test_one_transaction_comes_with_its_versions_and_what_each_changed(anna):
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", version=2, quantity=Decimal(12), submitted={"a": "b"})
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", version=1, quantity=Decimal(10))
    answer = client(anna).get(f"{HERS}T1/").json()
    assert (answer["version"], answer["quantity"]) == (2, "12")
    assert [(v["version"], v["quantity"], v["changed"]) for v in answer["versions"]] == [
        (1, "10", []),
        (2, "12", ["quantity"]),
    ]
    assert answer["versions"][1]["submitted"] == {"a": "b"}


def test_a_cancelled_transaction_can_still_be_read(anna):
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", version=1)
    TransactionFactory(portfolio_id="HERS", transaction_id="T1", version=2, status="CANCELLED")
    assert client(anna).get(f"{HERS}T1/").json()["status"] == "CANCELLED"


@pytest.mark.parametrize("transaction_id", ["T9", "%00", "T%201"])
def test_a_transaction_that_is_not_there_is_a_404(anna, transaction_id):
    answer = client(anna).get(f"{HERS}{transaction_id}/")
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"


# --- whose --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "T1/"])
@pytest.mark.usefixtures("ben")
def test_anothers_portfolio_looks_just_like_one_that_does_not_exist(anna, path):
    TransactionFactory(portfolio_id="HIS", transaction_id="T1")
    his = client(anna).get(f"/api/v1/portfolios/HIS/transactions/{path}")
    nobodys = client(anna).get(f"/api/v1/portfolios/NOBODYS/transactions/{path}")
    assert his.status_code == nobodys.status_code == 404
    assert his.json()["detail"] == nobodys.json()["detail"].replace("NOBODYS", "HIS")


def test_a_portfolio_that_does_not_exist_is_a_404_for_who_reads_all_too(auditor):
    assert client(auditor).get("/api/v1/portfolios/NOBODYS/transactions/").status_code == 404
    assert client(auditor).get("/api/v1/portfolios/%00/transactions/").status_code == 404


def test_across_portfolios_everybody_sees_their_own_and_an_auditor_all(anna, ben, auditor):
    PortfolioChangeFactory(portfolio_id="SYSTEMS", owner="")
    for portfolio_id in ("HERS", "HIS", "SYSTEMS"):
        TransactionFactory(portfolio_id=portfolio_id, transaction_id=f"of-{portfolio_id}")
    assert ids(client(anna).get(ALL)) == ["of-HERS"]
    assert ids(client(ben).get(ALL)) == ["of-HIS"]
    assert ids(client(auditor).get(ALL)) == ["of-HERS", "of-HIS", "of-SYSTEMS"]
    assert ids(client(anna).get(ALL, {"portfolio_id": "HIS"})) == []
    assert ids(client(auditor).get(ALL, {"portfolio_id": "HIS"})) == ["of-HIS"]


@pytest.mark.usefixtures("anna")
def test_without_a_user_nothing_is_read():
    for path in (HERS, f"{HERS}T1/", ALL):
        assert APIClient().get(path).status_code == 401


@pytest.mark.parametrize("path", [HERS, ALL])
def test_a_longer_page_takes_no_more_queries(anna, path, django_assert_max_num_queries):
    for _ in range(30):
        TransactionFactory(portfolio_id="HERS")
    counts = []
    for size in (2, 30):
        caller = client(User.objects.get(pk=anna.pk))
        with django_assert_max_num_queries(7) as captured:
            caller.get(path, {"page_size": size})
        counts.append(len(captured))
    assert counts[0] == counts[1]
