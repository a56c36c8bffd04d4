"""The law of the baton: messages may be lost, doubled, late and out of order; what is owed is done in the end, once at a time.

A history is a list of steps that hypothesis makes up. Between the ledger, the orchestrator and the calculator lies a bag
of messages, out of which a step takes any, leaves a copy of it, or loses it.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

import pytest
from django.conf import settings
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.quiet import dispatch_values
from orchestrator.recalculation import recalculate
from orchestrator.requests import Dispatch
from portfolio.models import FxRate, Instrument, PortfolioChange, Price
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import (
    HeldSince,
    MarketDataRecorded,
    Message,
    PositionCalculation,
    PositionCalculationDone,
    ValuationCalculation,
    ValuationCalculationDone,
)
from tests.integration.orchestrator.world import (
    AAPL,
    EUR,
    all_swept,
    all_told,
    at,
    book,
    calculated,
    calculation,
    failed,
    instrument,
    price,
    rate,
    valuation,
    valued,
)

PORTFOLIOS = ("P1", "P2", "P3")
HELD = {"P1": (EUR,), "P2": (EUR, AAPL), "P3": ()}
NEWS = {
    "rate": lambda: rate("EUR", "USD"),
    "instrument": lambda: instrument("AAPL"),
    "price": lambda: price("AAPL"),
}
HOURS, MINUTES = 3600.0, 60.0
FAILURES_MAX = 3
"""Few, so that histories reach it, and reach it with dispatches that nobody answered."""

steps = st.one_of(
    st.tuples(st.just("book"), st.sampled_from(PORTFOLIOS)),
    st.tuples(st.just("rate"), st.just("")),
    st.tuples(st.just("instrument"), st.just("")),
    st.tuples(st.just("price"), st.just("")),
    st.tuples(st.just("deliver"), st.integers(0, 20)),
    st.tuples(st.just("deliver"), st.integers(0, 20)),
    st.tuples(st.just("deliver all"), st.just("")),
    st.tuples(st.just("deliver a copy"), st.integers(0, 20)),
    st.tuples(st.just("calculator fails"), st.integers(0, 20)),
    st.tuples(st.just("lose"), st.integers(0, 20)),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 40, 600, 100_000])),
    st.tuples(st.just("sweep"), st.just("")),
    st.tuples(st.just("values"), st.sampled_from(PORTFOLIOS)),
)


Told = PositionCalculationDone | ValuationCalculationDone


class Row(NamedTuple):
    """A portfolio's calculations of one kind, as the messages have it."""

    portfolio_id: str
    is_valuation: bool

    @classmethod
    def of(cls, message: Dispatch | Told) -> Row:
        return cls(message.portfolio_id, isinstance(message, ValuationCalculation | ValuationCalculationDone))


class Reached(NamedTuple):
    """How far something goes: the ledger, the market, and of valuations the day."""

    seq: int = 0
    market_seq: int = 0
    day: datetime.date = datetime.date.min

    def together(self, other: Reached) -> Reached:
        return Reached(max(self.seq, other.seq), max(self.market_seq, other.market_seq), max(self.day, other.day))

    def covers(self, other: Reached) -> bool:
        return self.together(other) == self


def asked_by(message: Dispatch) -> Reached:
    day = message.requested_date if isinstance(message, ValuationCalculation) else None
    return Reached(message.requested_seq, message.requested_market_seq, day or datetime.date.min)


def told_by(message: Told) -> Reached:
    day = message.valued_until if isinstance(message, ValuationCalculationDone) else None
    return Reached(message.computed_seq, message.market_seq, day or datetime.date.min)


def awaited_by(message: Told) -> Reached:
    """What values were made of all the same, though the positions have yet to follow."""
    return Reached(market_seq=message.awaits_market_seq if isinstance(message, ValuationCalculationDone) else 0)


@dataclass
class Outstanding:
    """A dispatch as the law sees it: over when its calculator has answered, or failed."""

    asked: Dispatch
    left_at_s: float


@dataclass
class House:
    """The bag of messages, the clock, what is outstanding, and what the dones and failures have told so far."""

    bag: list[Message] = field(default_factory=list)
    clock_s: float = 0
    outstanding: dict[Row, Outstanding] = field(default_factory=dict)
    done: dict[Row, Reached] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)

    def act(self, name: str, value: str | int) -> None:
        match name:
            case "book":
                self.bag.append(book(str(value)))
            case "rate" | "instrument" | "price":
                self.bag.append(NEWS[name]())
            case "wait":
                self.clock_s += float(value)
            case "sweep" | "values":
                self._dispatched(self._found(str(value)))
            case "deliver all":
                waiting, self.bag = self.bag, []
                self.deliver(*waiting)
            case _ if self.bag:
                index = int(value) % len(self.bag)
                message = self.bag[index] if name == "deliver a copy" else self.bag.pop(index)
                if name == "calculator fails" and isinstance(message, PositionCalculation):
                    self.bag.append(failed(message))
                elif name == "calculator fails" and isinstance(message, ValuationCalculation):
                    error = "a division by zero"
                    self.bag.append(
                        ValuationCalculationDone(portfolio_id=message.portfolio_id, computed_seq=0, error=error)
                    )
                elif name != "lose":
                    self.deliver(message)

    def _found(self, portfolio_id: str) -> Sequence[Dispatch]:
        """By a sweep, or of one portfolio by whoever looks after a quiet moment."""
        if not portfolio_id:
            return all_swept(seconds=self.clock_s).calculations
        with transaction.atomic():
            quiet_s = settings.VALUATIONS_QUIET_S
            return dispatch_values(portfolio_ids=[portfolio_id], quiet_s=quiet_s, now=at(self.clock_s))

    def deliver(self, *messages: Message) -> None:
        """To whom they are addressed; the orchestrator takes its ones as one batch."""
        for asked in messages:
            if isinstance(asked, PositionCalculation):
                self.bag.append(calculated(asked, *HELD[asked.portfolio_id]))
            elif isinstance(asked, ValuationCalculation):
                to_follow = last_change(*HELD[asked.portfolio_id])
                self.bag.append(valued(asked, seconds=self.clock_s, to_follow=to_follow))
        if mine := [m for m in messages if not isinstance(m, PositionCalculation | ValuationCalculation)]:
            for told_done in mine:
                if isinstance(told_done, PositionCalculationDone | ValuationCalculationDone):
                    self._answered(told_done)
            self._dispatched(all_told(*mine, seconds=self.clock_s))

    def _answered(self, answer: Told) -> None:
        row = Row.of(answer)
        reached = self.done.get(row, Reached())
        if answer.error is None:
            reached = self.done[row] = reached.together(told_by(answer))
        else:
            self.failures[answer.portfolio_id] += 1
        one = self.outstanding.get(row)
        if one and (answer.error is not None or reached.together(awaited_by(answer)).covers(asked_by(one.asked))):
            del self.outstanding[row]

    def _dispatched(self, calculations: Sequence[Dispatch]) -> None:
        for asked in calculations:
            one = self.outstanding.get(Row.of(asked))
            overdue = one is not None and self.clock_s - one.left_at_s >= settings.DISPATCH_TIMEOUT_S
            assert one is None or overdue, "a second dispatch while one is outstanding"
            self.outstanding[Row.of(asked)] = Outstanding(asked, self.clock_s)
            self.bag.append(asked)

    def settle(self) -> None:
        """No more is lost and nothing fails; a person asks again for what failed so often that it may be given up.

        Only for that: whatever failed less often is done without anybody.
        """
        self.clock_s += HOURS
        dones = (m for m in self.bag if isinstance(m, PositionCalculationDone | ValuationCalculationDone))
        yet_to_tell = Counter(done.portfolio_id for done in dones if done.error)
        all_told = self.failures + yet_to_tell
        if often := {portfolio_id for portfolio_id, n in all_told.items() if n >= FAILURES_MAX}:
            producer = MemoryBroker({MarketDataRecorded.TOPIC: 1}).producer()
            recalculate(portfolio_ids=often, rebuild=False, producer=producer, now=at(self.clock_s))
        for _ in range(6):
            self.act("sweep", "")
            for _ in range(5):  # positions, their dones, valuations, their dones; and what an interest asks for late
                self.act("deliver all", "")
            self.clock_s += MINUTES


def last_price(*held: HeldSince) -> int:
    """The market_seq of the last price of anything held."""
    prices = Price.objects.filter(security_id__in=[one.name for one in held])
    return max([0, *prices.values_list("market_seq", flat=True)])


def last_change(*held: HeldSince) -> int:
    """The market_seq of the last change of anything held."""
    rates = FxRate.objects.filter(from_currency__in=[one.name for one in held])
    instruments = Instrument.objects.filter(security_id__in=[one.name for one in held])
    return max([0, *rates.values_list("market_seq", flat=True), *instruments.values_list("market_seq", flat=True)])


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.django_db
@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@example(  # an interest told late: the news it concerns have been carried on before
    quiet_s=0.0,
    history=[("book", "P1"), ("deliver", 0), ("deliver", 0), ("rate", ""), ("deliver", 1), ("deliver", 0)],
)
@example(  # a failure told twice, the second time while the next attempt is on its way
    quiet_s=0.0,
    history=[
        ("book", "P1"),
        ("deliver", 0),
        ("calculator fails", 0),
        ("deliver a copy", 0),
        ("wait", 600),
        ("sweep", ""),
        ("deliver", 0),
        ("deliver", 0),
    ],
)
@example(  # an older done, told while a newer dispatch is outstanding
    quiet_s=0.0,
    history=[
        ("book", "P1"),
        ("deliver", 0),
        ("deliver", 0),
        ("deliver a copy", 0),
        ("book", "P1"),
        ("deliver", 1),
        ("deliver", 0),
        ("book", "P1"),
        ("deliver", 1),
    ],
)
@example(  # calculators that are away for longer than failures are tried again, then fail once
    quiet_s=0.0,
    history=[
        ("book", "P1"),
        ("deliver", 0),
        *[("lose", 0), ("wait", 600), ("sweep", "")] * FAILURES_MAX,
        ("calculator fails", 0),
        ("deliver", 0),
    ],
)
@given(history=st.lists(steps, min_size=4, max_size=30), quiet_s=st.sampled_from([0.0, 2.0, 30.0]))
def test_whatever_becomes_of_the_messages_all_that_is_owed_is_done_and_one_at_a_time(history, quiet_s):
    with undone(), override_settings(CALCULATION_ATTEMPTS_MAX=FAILURES_MAX, VALUATIONS_QUIET_S=quiet_s):
        house = House()
        for name, value in history:
            house.act(name, value)
        house.settle()
        assert house.bag == [], "the house comes to rest"
        for mark in PortfolioChange.objects.all():
            row = calculation(mark.portfolio_id)
            assert row.done_seq == mark.change_seq
            assert (row.state, row.pending, row.error) == ("IDLE", False, "")
            assert (row.attempts, row.failures) == (0, 0)
            held = HELD[mark.portfolio_id]
            assert row.done_market_seq >= last_change(*held)
            values = valuation(mark.portfolio_id)
            assert values.done_seq == mark.change_seq
            assert (values.state, values.pending, values.error) == ("IDLE", False, "")
            assert values.done_market_seq >= max(last_change(*held), last_price(*held))
            assert values.done_date == at(house.clock_s - MINUTES).date(), "that of the last sweep"
