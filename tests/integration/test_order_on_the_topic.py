"""Of equal versions the later on the topic stands, in whatever order and however often records are written."""

from __future__ import annotations

import datetime
import itertools
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction as db_transaction

from portfolio.market_data import record_market_data
from portfolio.models import BenchmarkWeight, FxRate, Instrument, Portfolio, PortfolioChange, Price, ReferenceVersion
from portfolio.queries import SegmentWeight, benchmark_weights
from portfolio.streaming.broker import Record
from portfolio.streaming.handling import Received
from portfolio.streaming.messages import (
    RawBenchmarkWeight,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedBenchmarkWeight,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    encode,
)
from tests import pipeline

D = Decimal
DAY = datetime.date(2025, 1, 15)
NOW = pipeline.NOW
pytestmark = pytest.mark.django_db


def price(name, figure, version=1):
    return RawPrice(
        market_price=SubmittedPrice(security_id=name, price_date=DAY, price=D(figure), currency="USD", version=version)
    )


def rate(name, figure, version=1):
    return RawRate(
        fx_rate=SubmittedRate(from_currency=name, to_currency="USD", rate_date=DAY, rate=D(figure), version=version)
    )


def weight(name, figure, version=1, *, day=DAY, segment="Energy", told=None, segment_by="sector"):
    return RawBenchmarkWeight(
        benchmark_weight=SubmittedBenchmarkWeight(
            benchmark_id=name,
            segment_by=segment_by,
            segment=segment,
            weight_date=day,
            weight=D(figure) / 100,
            segment_return=None if told is None else D(told),
            version=version,
        )
    )


def instrument(name, figure, version=1):
    return RawInstrument(
        instrument=SubmittedInstrument(security_id=name, currency="USD", name=str(figure), version=version)
    )


def portfolio(name, figure, version=1):
    return RawPortfolio(
        portfolio=SubmittedPortfolio(portfolio_id=name, base_currency="USD", name=str(figure), version=version)
    )


def believed(make, name):
    """The figures that stand, as they were sent."""
    if make in (instrument, portfolio):
        model = Instrument if make is instrument else Portfolio
        return [int(row.name) for row in model.objects.filter(pk=name)]
    quotes, key, value = QUOTES[make]
    rows = quotes.objects.filter(**{key: name}, superseded_at=None).values_list(value, flat=True)
    return [row * 100 if make is weight else row for row in rows]


QUOTES: dict[Any, tuple[Any, str, str]] = {
    price: (Price, "security_id", "price"),
    rate: (FxRate, "from_currency", "rate"),
    weight: (BenchmarkWeight, "benchmark_id", "weight"),
}
EVERY_KIND = [price, rate, weight, instrument, portfolio]
each_kind = pytest.mark.parametrize("make", EVERY_KIND, ids=lambda make: make.__name__)


def at(offset, message, *, partition=0, topic_id="topic-1"):
    """The message as a worker receives it from that place."""
    record = Record(message.TOPIC, partition, offset, message.key.encode(), encode(message))
    return Received(record, message, topic_id)


def write(*received, now=NOW):
    with db_transaction.atomic():
        return record_market_data(received, now=now)


def rows():
    """Everything that is kept of reference data."""
    models: tuple[Any, ...] = (Price, FxRate, BenchmarkWeight, Instrument, Portfolio, ReferenceVersion, PortfolioChange)
    return [list(model.objects.order_by("pk").values()) for model in models]


TOPICS = {
    "one version": [(10, 1), (11, 1), (12, 1)],
    "there and back": [(10, 1), (11, 1), (10, 1)],
    "said twice around another": [(10, 1), (10, 1), (11, 1), (10, 1)],
    "corrections": [(10, 1), (11, 2), (12, 1), (13, 2), (11, 2)],
}


@each_kind
@pytest.mark.parametrize("topic", TOPICS.values(), ids=TOPICS)
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_the_order_of_arrival_never_changes_what_stands(make, topic, together):
    # Each order of arrival happens to a name of its own; all first arrivals are one batch, all second ones the next.
    orders = list(itertools.permutations(range(len(topic))))
    names = [f"{chr(65 + n // 26)}{chr(65 + n % 26)}X" for n in range(len(orders))]
    arrivals = [
        [at(order[step], make(name, *topic[order[step]])) for name, order in zip(names, orders, strict=True)]
        for step in range(len(topic))
    ]
    for batch in [list(itertools.chain(*arrivals))] if together else arrivals:
        write(*batch)

    highest = max(version for _, version in topic)
    last = next(figure for figure, version in reversed(topic) if version == highest)
    assert {name: believed(make, name) for name in names} == {name: [last] for name in names}


@each_kind
@pytest.mark.parametrize("batch_size", [1, 2, 10])
def test_a_replay_of_a_topic_changes_no_row(make, batch_size):
    sent = [(10, 1), (11, 1), (10, 1), (12, 3), (12, 3), (9, 2), (13, 3)]
    topic = [at(offset, make("AAA", *one)) for offset, one in enumerate(sent)]
    for received in topic:
        write(received)
    before = rows()

    for start in range(0, len(topic), batch_size):
        write(*topic[start : start + batch_size], now=NOW + datetime.timedelta(days=1))
    for received in topic[2:5]:
        write(received, now=NOW + datetime.timedelta(days=2))

    assert rows() == before


@each_kind
def test_a_writer_that_slept_puts_nothing_older_back(make):
    write(at(0, make("AAA", 10)))
    write(at(8, make("AAA", 12)))
    changed = PortfolioChange.objects.values_list("change_seq", flat=True).first()

    write(at(5, make("AAA", 11)), now=NOW + datetime.timedelta(hours=1))

    assert believed(make, "AAA") == [12]
    assert PortfolioChange.objects.values_list("change_seq", flat=True).first() == changed
    # It is kept all the same: all that was ever said is.
    if make in (instrument, portfolio):
        assert list(ReferenceVersion.objects.order_by("pk").values_list("content__name", flat=True)) == [
            "10",
            "12",
            "11",
        ]
    else:
        quotes, _, value = QUOTES[make]
        late = quotes.objects.latest("pk")
        assert getattr(late, value) == (D("0.11") if make is weight else 11)
        assert late.superseded_at == late.recorded_at


@each_kind
def test_what_is_said_again_later_stands_where_it_was_said_last(make):
    write(at(0, make("AAA", 10)))
    write(at(7, make("AAA", 10)), now=NOW + datetime.timedelta(hours=1))
    before = rows()

    write(at(3, make("AAA", 11)))

    assert believed(make, "AAA") == [10]
    # The one that was said before stays dated as it was first recorded.
    assert [row["recorded_at"] for row in before[EVERY_KIND.index(make)]] < [NOW + datetime.timedelta(minutes=1)]


@each_kind
@pytest.mark.parametrize(
    "elsewhere", [{"topic_id": "topic-2"}, {"partition": 1}], ids=["a topic made anew", "one with more partitions"]
)
def test_where_offsets_do_not_compare_the_later_written_stands(make, elsewhere):
    write(at(1000, make("AAA", 10)))
    write(at(3, make("AAA", 11), **elsewhere))
    assert believed(make, "AAA") == [11]

    write(at(2, make("AAA", 12), **elsewhere))
    assert believed(make, "AAA") == [11]


def test_rows_tell_where_they_come_from():
    write(at(4, price("AAA", 10), partition=2))

    row = Price.objects.get()
    assert (row.topic_id, row.partition, row.offset) == ("topic-1", 2, 4)


# --- weights of benchmarks ----------------------------------------------------------------------------------------


def days(number):
    return DAY + datetime.timedelta(days=number)


def test_the_weights_of_a_period_begin_with_those_that_hold_at_its_start():
    write(
        at(0, weight("WORLD", 5, day=days(-30))),
        at(1, weight("WORLD", 6, day=days(-3))),
        at(2, weight("WORLD", 94, day=days(-3), segment="Other", told="0.01")),
        at(3, weight("WORLD", 7, day=days(2), told="-0.02")),
        at(4, weight("WORLD", 8, day=days(10))),
        at(5, weight("WORLD", 70, day=days(1), segment="US", segment_by="country")),
        at(6, weight("EUROPE", 9, day=days(1))),
    )

    def between(start, end, **options):
        return benchmark_weights(benchmark_id="WORLD", segment_by="sector", start=start, end=end, **options)

    assert between(DAY, days(9)) == [
        SegmentWeight("Energy", days(-3), D("0.06"), None),
        SegmentWeight("Other", days(-3), D("0.94"), D("0.01")),
        SegmentWeight("Energy", days(2), D("0.07"), D("-0.02")),
    ]
    assert [one.weight_date for one in between(days(2), days(10))] == [days(2), days(10)]
    assert [one.weight_date for one in between(days(-40), days(-5))] == [days(-30)]
    assert between(days(-60), days(-31)) == []


def test_weights_can_be_read_as_they_were_known():
    write(at(0, weight("WORLD", 5)))
    write(at(1, weight("WORLD", 6, version=2)), now=NOW + datetime.timedelta(days=1))

    def known(**options):
        asked = benchmark_weights(benchmark_id="WORLD", segment_by="sector", start=DAY, end=DAY, **options)
        return [one.weight for one in asked]

    assert known() == [D("0.06")]
    assert known(known_at=NOW + datetime.timedelta(hours=1)) == [D("0.05")]
    assert known(known_at=NOW - datetime.timedelta(hours=1)) == []


def test_weights_are_announced_by_benchmark_with_the_first_day():
    handled = write(at(0, weight("WORLD", 5, day=days(3))), at(1, weight("WORLD", 5, day=days(1))))

    [publication] = handled.publications
    message = publication.message
    assert (message.kind, message.name, message.from_date) == ("BENCHMARK_WEIGHT", "WORLD", days(1))
    assert message.TOPIC == "market_data_recorded"
