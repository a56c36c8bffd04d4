"""Two clocks and five methods over REST: as_of, known_at and cost_method, of positions, lots and disposals."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio.streaming.messages import RawPortfolio, RawPrice, SubmittedPortfolio, SubmittedPrice
from positions.variants.apart import apart
from tests import pipeline
from tests.pipeline import NOW, day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
HOUR = datetime.timedelta(hours=1)
POSITIONS = "/api/v1/portfolios/P1/positions/"


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def price(amount, on, **fields):
    quote = SubmittedPrice(security_id="AAPL", price_date=day(on), price=D(amount), currency="USD", **fields)
    return RawPrice(market_price=quote)


def traded(kind, transaction_id, on, quantity, amount, **fields):
    return transaction(
        kind,
        transaction_id=transaction_id,
        transaction_date=on,
        security_id="AAPL",
        quantity=D(quantity),
        price=D(amount),
        **fields,
    )


@pytest.fixture
def held(client) -> None:
    """Bought 10 at 10 and 10 at 12, sold 5 at 15. An hour later the second purchase is corrected to 14, and the quote
    of the 31st from 16 to 20.
    """
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="USD"), submitted_by="owner"),
        price(16, "2025-01-31"),
    )
    pipeline.record(
        traded("BUY", "B1", "2025-01-02", 10, 10),
        traded("BUY", "B2", "2025-01-03", 10, 12),
        traded("SELL", "S1", "2025-01-20", 5, 15),
        submitted_by="owner",
    )
    pipeline.record(traded("BUY", "B2", "2025-01-03", 10, 14, version=2), submitted_by="owner", now=NOW + HOUR)
    pipeline.record_reference(price(20, "2025-01-31", version=2), now=NOW + HOUR)
    pipeline.calculate("P1")


def ask(client, path=POSITIONS, **query):
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def facts(answer):
    (position,) = answer["positions"]
    return [position[name] for name in ("quantity", "cost_basis", "realized_gain", "market_value")]


# The numbers: FIFO takes 5 of the 10 at 10, LIFO 5 of those at 12 (later 14), AVCO 5 at 11 (later 12).
EXPECTED = {
    # (method, corrected): cost left, realised gain
    ("FIFO", False): ("170", "25"),  # 50 + 120; 75 - 50
    ("FIFO", True): ("190", "25"),  # 50 + 140
    ("LIFO", False): ("160", "15"),  # 100 + 60; 75 - 60
    ("LIFO", True): ("170", "5"),  # 100 + 70; 75 - 70
    ("HIFO", True): ("170", "5"),
    ("AVCO", False): ("165", "20"),  # 15 x 11; 75 - 55
    ("AVCO", True): ("180", "15"),  # 15 x 12; 75 - 60
}


@pytest.mark.parametrize(("method", "corrected"), EXPECTED)
def test_what_was_believed_then_by_any_method(client, held, method, corrected):
    moment = NOW + (2 * HOUR if corrected else HOUR / 2)

    answer = ask(client, as_of="2025-01-31", known_at=moment.isoformat(), cost_method=method)

    # 15 x 16, later x 20
    assert facts(answer) == ["15", *EXPECTED[method, corrected], "300" if corrected else "240"]
    assert (answer["as_of"], answer["cost_method"]) == ("2025-01-31", method)
    assert datetime.datetime.fromisoformat(answer["known_at"]) == moment


def test_without_a_moment_the_answer_says_of_which_moment_it_is_and_stays_so(client, held):
    first = ask(client, as_of="2025-01-31")
    assert (first["cost_method"], facts(first)[1]) == ("FIFO", "190")

    pipeline.record(traded("BUY", "B3", "2025-01-21", 1, 10), submitted_by="owner", now=None)
    pipeline.calculate("P1")

    assert facts(ask(client, as_of="2025-01-31")) == ["16", "200", "25", "320"]
    again = ask(client, as_of="2025-01-31", known_at=first["known_at"])
    assert {name: again[name] for name in again if name != "pending"} == {
        name: first[name] for name in first if name != "pending"
    }


def test_rows_that_are_owed_something_are_of_the_moment_before_it(client, held):
    recorded_at = NOW + 3 * HOUR
    pipeline.record(traded("BUY", "B3", "2025-01-21", 1, 10), submitted_by="owner", now=recorded_at)

    answer = ask(client, as_of="2025-01-31")

    assert (facts(answer)[0], bool(answer["pending"])) == ("15", True)
    assert datetime.datetime.fromisoformat(answer["known_at"]) < recorded_at


def test_before_anything_was_recorded_nothing_was_known(client, held):
    answer = ask(client, known_at=(NOW - HOUR).isoformat())

    assert (answer["positions"], answer["totals"]["value"]) == ([], "0")


def test_the_portfolios_own_method_named_is_answered_from_the_rows(client, held):
    answer = ask(client, as_of="2025-01-31", cost_method="FIFO")
    with apart():
        again = ask(client, as_of="2025-01-31", cost_method="FIFO")

    assert facts(again) == facts(answer) == ["15", "190", "25", "300"]


def test_variants_are_booked_apart_and_kept(client, held):
    kept = ask(client, cost_method="LIFO")
    with apart():
        assert facts(ask(client, cost_method="LIFO")) == facts(kept)
        refused = client.get(POSITIONS, {"cost_method": "HIFO"})
        what_if = client.post("/api/v1/evaluate/", {"portfolio": {"base_currency": "USD"}}, format="json")
        assert client.get(POSITIONS).status_code == 200

    for answer in (refused, what_if):
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert answer.headers["Content-Type"] == "application/problem+json"
    assert client.get(POSITIONS, {"cost_method": "HIFO"}).status_code == 200


def test_one_position_by_another_method_comes_with_its_history_lots_and_disposals(client, held):
    moment = (NOW + HOUR / 2).isoformat()

    answer = ask(client, f"{POSITIONS}AAPL/", known_at=moment, cost_method="LIFO", as_of="2025-01-31")

    assert [(d["position_date"], d["quantity"], d["cost_basis"]) for d in answer["history"]] == [
        ("2025-01-20", "15", "160"),
        ("2025-01-03", "20", "220"),
        ("2025-01-02", "10", "100"),
    ]
    assert [(lot["transaction_id"], lot["quantity"], lot["cost_basis"]) for lot in answer["lots"]] == [
        ("B1", "10", "100"),
        ("B2", "5", "60"),
    ]
    assert [(d["opening_transaction_id"], d["realized_gain"]) for d in answer["disposals"]] == [("B2", "15")]
    assert answer["cost_method"] == "LIFO"


@pytest.mark.parametrize("query", [{}, {"cost_method": "LIFO"}])
def test_a_history_says_where_a_rate_is_missing(client, query):
    """10 for 100 CHF without a rate, then 10 for 120 USD: what both cost in USD is not 120."""
    pipeline.record_reference(
        RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", base_currency="USD"), submitted_by="owner")
    )
    pipeline.record(
        traded("BUY", "B1", "2025-01-02", 10, 10, currency="CHF"),
        traded("BUY", "B2", "2025-01-03", 10, 12, transaction_fx_rate=D(1)),
        submitted_by="owner",
    )
    pipeline.calculate("P1")

    history = ask(client, f"{POSITIONS}AAPL/", **query)["history"]

    assert [day["cost_basis_base"]["unavailable"] for day in history] == ["MISSING_FX_RATE"] * 2


def test_one_position_on_an_earlier_day_has_the_lots_of_that_day(client, held):
    answer = ask(client, f"{POSITIONS}AAPL/", as_of="2025-01-10")

    assert [(lot["transaction_id"], lot["quantity"]) for lot in answer["lots"]] == [("B1", "10"), ("B2", "10")]
    assert (answer["disposals"], len(answer["history"])) == ([], 2)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [("B1", "5"), ("B2", "10")]),
        ({"as_of": "2025-01-10"}, [("B1", "10"), ("B2", "10")]),
        ({"as_of": "2025-01-02"}, [("B1", "10")]),
        ({"cost_method": "LIFO"}, [("B1", "10"), ("B2", "5")]),
        ({"cost_method": "AVCO"}, [("B1", "15")]),
        ({"cost_method": "LIFO", "security_id": "MSFT"}, []),
    ],
)
def test_lots_of_a_day_and_by_a_method(client, held, query, expected):
    answer = ask(client, "/api/v1/portfolios/P1/lots/", **query)

    assert [(lot["transaction_id"], lot["quantity"]) for lot in answer["results"]] == expected


def test_disposals_of_a_day_and_by_a_method(client, held):
    def gains(**query):
        return [d["realized_gain"] for d in ask(client, "/api/v1/portfolios/P1/disposals/", **query)["results"]]

    assert gains() == gains(as_of="2025-01-20") == ["25"]
    assert gains(as_of="2025-01-19") == gains(cost_method="LIFO", end="2025-01-19") == []
    assert gains(cost_method="LIFO", start="2025-01-20") == ["5"]
    assert gains(cost_method="LIFO", known_at=(NOW + HOUR / 2).isoformat()) == ["15"]


@pytest.mark.parametrize("ordering", ["disposal_date", "-disposal_date"])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_of_what_was_booked_visit_every_row_once_and_stay_of_their_moment(client, ordering, size):
    pipeline.record(
        traded("BUY", "B1", "2025-01-02", 10, 10),
        *[traded("SELL", f"S{n}", f"2025-01-{10 + n // 2}", 1, 15) for n in range(5)],
        submitted_by="owner",
        now=None,
    )
    address = f"/api/v1/portfolios/P1/disposals/?cost_method=LIFO&page_size={size}&ordering={ordering}"
    expected = [f"S{n}" for n in range(5)]
    if ordering.startswith("-"):
        expected.reverse()
    seen, answers = [], []
    while address:
        answers.append(ask(client, address))
        seen += [d["closing_transaction_id"] for d in answers[-1]["results"]]
        if len(answers) == 1:
            # Recorded after the first page: no page of this list has it.
            pipeline.record(traded("SELL", "S9", "2025-01-12", 1, 15), submitted_by="owner", now=None)
        address = answers[-1]["next"]

    assert seen == expected
    assert len({answer["known_at"] for answer in answers}) == 1
    back = [answers[-1]["results"]]
    address = answers[-1]["previous"]
    while address:
        answer = ask(client, address)
        back.insert(0, answer["results"])
        address = answer["previous"]
    assert [d["closing_transaction_id"] for page in back for d in page] == expected


def test_a_cursor_of_another_list_is_refused(client, held):
    lots = ask(client, "/api/v1/portfolios/P1/lots/", cost_method="LIFO", page_size=1)["next"]
    answer = client.get(lots.replace("/lots/", "/disposals/"))

    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["positions/", "positions/AAPL/", "lots/", "disposals/"])
def test_nobody_books_anothers_portfolio(held, path):
    stranger = APIClient()
    stranger.force_authenticate(User.objects.create_user("stranger"))

    assert stranger.get(f"/api/v1/portfolios/P1/{path}", {"cost_method": "LIFO"}).status_code == 404


def test_what_cannot_be_computed_is_refused_and_not_an_error(client):
    pipeline.record(
        *[traded("BUY", f"B{n}", "2025-01-02", "9" * 18, "9" * 18) for n in range(2)],
        transaction(
            "SPLIT",
            transaction_date="2025-01-03",
            security_id="AAPL",
            ratio_new=D("9" * 18),
            ratio_old=D("0." + "0" * 17 + "1"),
        ),
        submitted_by="owner",
    )
    answer = client.get(POSITIONS, {"cost_method": "AVCO"})

    assert answer.status_code == 422
    assert "cannot be booked" in answer.json()["detail"]
