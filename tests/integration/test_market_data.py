"""Reference data as it is kept: of two versions the higher, of equal ones the later, and all that was ever known."""

from __future__ import annotations

import datetime
import threading
from decimal import Decimal
from typing import cast

import pytest
from django.db import connection

from portfolio.models import (
    FxRate,
    Instrument,
    MarketMark,
    Portfolio,
    PortfolioChange,
    Price,
    ReferenceVersion,
)
from portfolio.streaming.messages import (
    MarketDataRecorded,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
)
from tests import pipeline
from tests.factories import UserFactory
from tests.pipeline import NOW

D = Decimal
DAY = datetime.date(2025, 1, 15)
LATER = NOW + datetime.timedelta(hours=1)
TICK = datetime.timedelta(microseconds=1)
"""A mark is always later than the one before; the very first one is made just before it is raised."""
pytestmark = pytest.mark.django_db


def price(amount, version=1, **fields):
    fields = {"security_id": "AAPL", "price_date": DAY, "currency": "USD", **fields}
    return RawPrice(market_price=SubmittedPrice(price=D(amount), version=version, **fields))


def rate(amount, version=1, **fields):
    fields = {"from_currency": "EUR", "to_currency": "USD", "rate_date": DAY, **fields}
    return RawRate(fx_rate=SubmittedRate(rate=D(amount), version=version, **fields))


def instrument(version=1, submitted_by=None, **fields):
    fields = {"security_id": "AAPL", "currency": "USD", **fields}
    return RawInstrument(instrument=SubmittedInstrument(version=version, **fields), submitted_by=submitted_by)


def portfolio(version=1, submitted_by=None, **fields):
    fields = {"portfolio_id": "P1", "base_currency": "USD", **fields}
    return RawPortfolio(portfolio=SubmittedPortfolio(version=version, **fields), submitted_by=submitted_by)


KINDS = [pytest.param(price, Price, "price", id="price"), pytest.param(rate, FxRate, "rate", id="rate")]
each_kind = pytest.mark.parametrize(("quote", "model", "figure"), KINDS)


def believed(model, figure):
    return [(getattr(row, figure), row.version) for row in model.objects.filter(superseded_at=None)]


def known(model, figure):
    """Everything ever recorded, in the order of recording."""
    return [(getattr(row, figure), row.version) for row in model.objects.order_by("pk")]


def announced(handled):
    messages = [publication.message for publication in handled.publications]
    assert all(isinstance(message, MarketDataRecorded) for message in messages)
    return cast("list[MarketDataRecorded]", messages)


# --- prices and rates ---------------------------------------------------------------------------------------------


@each_kind
@pytest.mark.parametrize("batch_size", [1, 10], ids=["one by one", "in one batch"])
@pytest.mark.parametrize(
    "versions",
    [
        {"arriving": [("10", 1), ("11", 2)], "stands": ("11", 2)},
        {"arriving": [("10", 2), ("11", 1)], "stands": ("10", 2)},
        {"arriving": [("10", 1), ("11", 1)], "stands": ("11", 1)},
        {"arriving": [("10", 1), ("11", 1), ("10", 1)], "stands": ("10", 1)},
        {"arriving": [("10", 3), ("11", 2), ("12", 3), ("13", 1)], "stands": ("12", 3)},
    ],
    ids=["a higher replaces", "a lower is not believed", "an equal one later replaces", "and back", "all of it"],
)
def test_of_two_versions_the_higher_counts_and_of_equal_ones_the_later(*, quote, model, figure, batch_size, versions):
    messages = [quote(*one) for one in versions["arriving"]]
    for start in range(0, len(messages), batch_size):
        pipeline.record_reference(*messages[start : start + batch_size])

    amount, version = versions["stands"]
    assert believed(model, figure) == [(D(amount), version)]
    assert known(model, figure) == [(D(amount), version) for amount, version in versions["arriving"]]


@each_kind
def test_what_was_believed_when_stays_known(quote, model, figure):
    pipeline.record_reference(quote("10"))
    pipeline.record_reference(quote("11"), now=LATER)
    pipeline.record_reference(quote("9", 2), now=LATER + datetime.timedelta(hours=1))

    rows = list(model.objects.order_by("pk"))
    assert [row.recorded_at for row in rows[:2]] == [NOW + TICK, LATER]
    assert [row.superseded_at for row in rows] == [rows[1].recorded_at, rows[2].recorded_at, None]


@each_kind
def test_a_lower_version_is_kept_and_was_never_believed(quote, model, figure):
    pipeline.record_reference(quote("10", 2))
    pipeline.record_reference(quote("11", 1), now=LATER)

    lower = model.objects.get(version=1)
    assert lower.recorded_at == lower.superseded_at == LATER


@each_kind
def test_the_same_again_changes_nothing(quote, model, figure):
    for _ in range(2):
        pipeline.record_reference(quote("10"), quote("10.00"), quote("9", 2), quote("8", 1))

    assert known(model, figure) == [(D(10), 1), (D(9), 2), (D(8), 1)]
    assert believed(model, figure) == [(D(9), 2)]


@each_kind
def test_a_replay_of_the_topic_ends_where_it_ended_before(quote, model, figure):
    topic = [quote("10"), quote("11"), quote("9", 3), quote("12", 2), quote("8", 3)]
    for message in topic:
        pipeline.record_reference(message)
    before = believed(model, figure)

    for message in topic:
        pipeline.record_reference(message)

    assert believed(model, figure) == before == [(D(8), 3)]


@each_kind
def test_a_replay_in_other_batches_ends_where_it_ended_before(quote, model, figure):
    topic = [quote("10"), quote("11"), quote("10"), quote("12")]
    pipeline.record_reference(*topic)
    pipeline.record_reference(*topic[:3])
    pipeline.record_reference(*topic[3:])

    assert believed(model, figure) == [(D(12), 1)]


@each_kind
@pytest.mark.parametrize("number", ["999999999999999999.999999999999999999", "0.000000000000000001", "150000000.00"])
def test_a_quote_is_kept_exactly(quote, model, figure, number):
    pipeline.record_reference(quote(number))

    assert believed(model, figure) == [(D(number), 1)]


def test_days_securities_and_pairs_are_apart():
    tomorrow = DAY + datetime.timedelta(days=1)
    pipeline.record_reference(
        price("1"),
        price("2", price_date=tomorrow),
        price("3", security_id="MSFT"),
        price("4", security_id="MSFT", price_date=tomorrow),
        rate("5"),
        rate("6", from_currency="USD", to_currency="EUR"),
        rate("7", rate_date=tomorrow),
    )

    assert sorted(row.price for row in Price.objects.filter(superseded_at=None)) == [1, 2, 3, 4]
    assert sorted(row.rate for row in FxRate.objects.filter(superseded_at=None)) == [5, 6, 7]


def test_a_price_of_another_currency_is_another_price():
    pipeline.record_reference(price("10"), price("10", currency="EUR"))

    assert [row.currency for row in Price.objects.filter(superseded_at=None)] == ["EUR"]


def test_of_a_security_the_first_day_that_changed_is_announced():
    days = [DAY + datetime.timedelta(days=n) for n in (3, 1, 2)]
    handled = pipeline.record_reference(*[price("10", price_date=day) for day in days], rate("1.1"))

    assert {(m.kind, m.name, m.from_date) for m in announced(handled)} == {
        ("PRICE", "AAPL", days[1]),
        ("RATE", "EUR/USD", DAY),
    }
    assert {m.seq for m in announced(handled)} == {MarketMark.objects.get().market_seq}


def test_every_batch_has_a_market_seq_of_its_own_and_the_rows_carry_it():
    pipeline.record_reference(price("10"), rate("1.1"))
    pipeline.record_reference(price("11"), instrument(), now=NOW - datetime.timedelta(days=1))

    assert list(Price.objects.order_by("pk").values_list("market_seq", flat=True)) == [1, 2]
    assert FxRate.objects.get().market_seq == 1
    assert Instrument.objects.get().market_seq == 2
    # The clock went back; the moment did not.
    assert MarketMark.objects.get().recorded_at == NOW + 2 * TICK


@pytest.mark.parametrize(
    ("first", "replayed"),
    [
        ([price("10")], [price("10.00")]),
        ([rate("1.1"), price("10"), instrument(name="a")], [instrument(name="a"), price("10"), rate("1.1")]),
        ([price("10"), price("11", 2), price("9", 1)], [price("10"), price("9", 1), price("11", 2)]),
    ],
    ids=["a duplicate", "a batch redelivered", "versions replayed"],
)
def test_what_changes_nothing_raises_no_mark_and_is_announced_again(first, replayed):
    pipeline.record_reference(*first)
    before = MarketMark.objects.values().get()

    handled = pipeline.record_reference(*replayed, now=LATER)

    assert MarketMark.objects.values().get() == before
    assert {m.kind for m in announced(handled)} == {m.kind for m in announced(pipeline.record_reference(*first))}
    assert {m.seq for m in announced(handled)} == {before["market_seq"]}


@pytest.mark.parametrize(
    "change",
    [price("11"), price("9", 2), price("10", currency="EUR"), rate("1.2"), instrument(name="b"), price("8", 0)],
    ids=["a price", "a version", "a currency", "a rate", "an attribute", "a lower version, kept as knowledge"],
)
def test_one_row_that_is_new_among_others_raises_the_mark(change):
    known = [price("10"), rate("1.1"), instrument(name="a")]
    pipeline.record_reference(*known)

    handled = pipeline.record_reference(*known, change)

    assert MarketMark.objects.get().market_seq == 2
    assert {m.seq for m in announced(handled)} == {2}


def test_ten_thousand_prices_are_a_handful_of_statements(django_assert_max_num_queries):
    batch = [
        price("10.5", security_id=f"SEC{n % 100}", price_date=DAY + datetime.timedelta(days=n // 100))
        for n in range(10_000)
    ]
    with django_assert_max_num_queries(15):
        pipeline.record_reference(*batch)
    assert Price.objects.count() == 10_000

    with django_assert_max_num_queries(10):
        pipeline.record_reference(*batch)
    assert Price.objects.count() == 10_000


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_agree_on_one_belief_a_day():
    failures = []

    def write(first):
        try:
            for number in range(first, 40, 2):
                pipeline.record_reference(price(str(number + 1), number % 7 + 1), rate(str(number + 1)))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test's own thread tells it
            failures.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(first,)) for first in (0, 1)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)

    assert failures == []
    assert [version for _, version in believed(Price, "price")] == [7]
    assert len(believed(FxRate, "rate")) == 1
    assert Price.objects.count() == FxRate.objects.count() == MarketMark.objects.get().market_seq == 40


# --- portfolios and instruments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
@pytest.mark.parametrize(
    ("arriving", "stands"),
    [
        ([("a", 1), ("b", 2)], "b"),
        ([("a", 2), ("b", 1)], "a"),
        ([("a", 1), ("b", 1)], "b"),
        ([("a", 1), ("b", 1), ("a", 1)], "a"),
    ],
    ids=["a higher replaces", "a lower is not believed", "an equal one later replaces", "and back"],
)
@pytest.mark.parametrize(("make", "model"), [(portfolio, Portfolio), (instrument, Instrument)])
def test_attributes_follow_their_versions_and_every_version_stays(make, model, arriving, stands, together):
    messages = [make(version, name=name) for name, version in arriving]
    for batch in [messages] if together else [[message] for message in messages]:
        pipeline.record_reference(*batch)

    assert model.objects.get().name == stands
    kept = ReferenceVersion.objects.order_by("pk").values_list("content__name", "version")
    assert list(kept) == arriving


@pytest.mark.parametrize("make", [portfolio, instrument])
def test_a_replay_of_attributes_adds_no_lower_version_again(make):
    topic = [make(1, name="a"), make(3, name="b"), make(2, name="c")]
    for _ in range(3):
        for message in topic:
            pipeline.record_reference(message)

    assert list(ReferenceVersion.objects.order_by("pk").values_list("version", flat=True)) == [1, 3, 2]


@pytest.mark.parametrize(("make", "model"), [(portfolio, Portfolio), (instrument, Instrument)])
def test_attributes_that_stand_already_change_nothing(make, model):
    pipeline.record_reference(make(name="a"))
    before = model.objects.get().recorded_at
    handled = pipeline.record_reference(make(name="a"), now=LATER)

    assert model.objects.get().recorded_at == before < LATER
    assert ReferenceVersion.objects.count() == 1
    # Announced all the same: the first announcement may have been lost.
    assert len(handled.publications) == 1


def test_what_is_left_out_takes_its_default_again():
    pipeline.record_reference(portfolio(cost_basis_method="AVCO", allow_short=True, cash_mode="UNTRACKED"))
    pipeline.record_reference(portfolio(2))

    row = Portfolio.objects.get()
    assert (row.cost_basis_method, row.allow_short, row.cash_mode, row.fees_in_cost) == ("FIFO", False, "TRACKED", True)


def test_new_settings_are_a_change_of_the_portfolio_that_books_it_anew():
    pipeline.record(pipeline.transaction("DEPOSIT", gross_transaction_amount=D(5)))
    handled = pipeline.record_reference(portfolio())

    mark = PortfolioChange.objects.get()
    assert (mark.change_seq, mark.rebuild_seq) == (2, 2)
    assert announced(handled)[0].seq == 2
    assert not MarketMark.objects.exists()

    pipeline.record_reference(portfolio())
    pipeline.record_reference(portfolio(2, name="lower comes later"), portfolio(1, name="lower"))
    mark.refresh_from_db()
    assert (mark.change_seq, mark.rebuild_seq) == (3, 3)


def test_attributes_of_somebody_elses_portfolio_are_set_aside():
    UserFactory(username="operator", permissions=["portfolio.write_any_portfolio"])
    pipeline.record_reference(portfolio(submitted_by="alice", name="mine"))

    handled = pipeline.record_reference(
        portfolio(2, submitted_by="bob", name="stolen"), portfolio(portfolio_id="P2", submitted_by="bob")
    )

    assert [(letter.code, letter.portfolio_id) for letter in handled.letters] == [("NOT_OWNER", "P1")]
    assert Portfolio.objects.get(portfolio_id="P1").name == "mine"
    assert PortfolioChange.objects.get(portfolio_id="P2").owner == "bob"
    assert pipeline.record_reference(portfolio(2, submitted_by="operator", name="moved")).letters == []
    assert pipeline.record_reference(portfolio(3, name="by a system")).letters == []
    assert Portfolio.objects.get(portfolio_id="P1").name == "by a system"
    assert PortfolioChange.objects.get(portfolio_id="P1").owner == "alice"


def test_a_portfolio_first_named_by_a_transaction_belongs_to_its_submitter():
    pipeline.record(pipeline.transaction("DEPOSIT", gross_transaction_amount=D(5)), submitted_by="alice")

    assert pipeline.record_reference(portfolio(submitted_by="bob")).letters[0].code == "NOT_OWNER"
    assert pipeline.record_reference(portfolio(submitted_by="alice")).letters == []


def test_who_said_it_is_kept_with_the_version():
    pipeline.record_reference(instrument(name="a", submitted_by="alice"))
    pipeline.record_reference(instrument(name="b", submitted_by="bob"))

    assert list(ReferenceVersion.objects.order_by("pk").values_list("submitted_by", flat=True)) == ["alice", "bob"]


@pytest.mark.parametrize("make", [portfolio, instrument])
def test_within_one_batch_each_version_is_kept_under_the_name_of_who_said_it(make):
    UserFactory(username="bob", permissions=["portfolio.write_any_portfolio"])
    pipeline.record_reference(make(name="a", submitted_by="alice"), make(name="b", submitted_by="bob"))

    assert list(ReferenceVersion.objects.order_by("pk").values_list("submitted_by", flat=True)) == ["alice", "bob"]


def test_the_numbers_of_an_instrument_are_kept_exactly():
    pipeline.record_reference(instrument(price_factor=D("0.000000000000000001")))
    pipeline.record_reference(instrument(price_factor=D("1e-18")))

    assert Instrument.objects.get().price_factor == D("0.000000000000000001")
    assert ReferenceVersion.objects.count() == 1


def test_a_batch_may_hold_everything():
    handled = pipeline.record_reference(
        portfolio(), instrument(), price("10"), rate("1.1"), price("11", price_date=DAY)
    )

    assert sorted(m.kind for m in announced(handled)) == ["INSTRUMENT", "PORTFOLIO", "PRICE", "RATE"]
    assert believed(Price, "price") == [(D(11), 1)]
