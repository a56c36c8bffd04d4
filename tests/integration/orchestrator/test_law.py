"""The law of the baton: messages may be lost, doubled, late and out of order; what is owed is done in the end, once at a time.

A history is a list of steps that hypothesis makes up. Between the ledger, the orchestrator and the calculator lies a bag
of messages, out of which a step takes any, leaves a copy of it, or loses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.conf import settings
from django.db import transaction
from django.test import override_settings
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from orchestrator.recalculation import recalculate
from portfolio.models import FxRate, Instrument, PortfolioChange
from portfolio.streaming.memory import MemoryBroker
from portfolio.streaming.messages import (
    HeldSince,
    MarketDataRecorded,
    Message,
    PositionCalculation,
    PositionCalculationDone,
)
from tests.integration.orchestrator.world import (
    AAPL,
    EUR,
    at,
    book,
    calculated,
    calculation,
    failed,
    instrument,
    rate,
    swept,
    told,
)

PORTFOLIOS = ("P1", "P2", "P3")
HELD = {"P1": (EUR,), "P2": (EUR, AAPL), "P3": ()}
HOURS = 3600.0
FAILURES_MAX = 3
"""Few, so that histories reach it, and reach it with dispatches that nobody answered."""

steps = st.one_of(
    st.tuples(st.just("book"), st.sampled_from(PORTFOLIOS)),
    st.tuples(st.just("rate"), st.just("")),
    st.tuples(st.just("instrument"), st.just("")),
    st.tuples(st.just("deliver"), st.integers(0, 20)),
    st.tuples(st.just("deliver"), st.integers(0, 20)),
    st.tuples(st.just("deliver all"), st.just("")),
    st.tuples(st.just("deliver a copy"), st.integers(0, 20)),
    st.tuples(st.just("calculator fails"), st.integers(0, 20)),
    st.tuples(st.just("lose"), st.integers(0, 20)),
    st.tuples(st.just("wait"), st.sampled_from([1, 20, 40, 600])),
    st.tuples(st.just("sweep"), st.just("")),
)


@dataclass
class Outstanding:
    """A dispatch as the law sees it: over when its calculator has answered, or failed."""

    asked: PositionCalculation
    left_at_s: float

    def is_answered_by(self, seq: int, market_seq: int) -> bool:
        return self.asked.requested_seq <= seq and self.asked.requested_market_seq <= market_seq


@dataclass
class House:
    """The bag of messages, the clock, what is outstanding, and what the dones and failures have told so far."""

    bag: list[Message] = field(default_factory=list)
    clock_s: float = 0
    outstanding: dict[str, Outstanding] = field(default_factory=dict)
    done: dict[str, tuple[int, int]] = field(default_factory=dict)
    failures: Counter[str] = field(default_factory=Counter)

    def act(self, name: str, value: str | int) -> None:
        match name:
            case "book":
                self.bag.append(book(str(value)))
            case "rate":
                self.bag.append(rate("EUR", "USD"))
            case "instrument":
                self.bag.append(instrument("AAPL"))
            case "wait":
                self.clock_s += float(value)
            case "sweep":
                self._dispatched(swept(seconds=self.clock_s).calculations)
            case "deliver all":
                waiting, self.bag = self.bag, []
                self.deliver(*waiting)
            case _ if self.bag:
                index = int(value) % len(self.bag)
                message = self.bag[index] if name == "deliver a copy" else self.bag.pop(index)
                if name == "calculator fails" and isinstance(message, PositionCalculation):
                    self.bag.append(failed(message))
                elif name != "lose":
                    self.deliver(message)

    def deliver(self, *messages: Message) -> None:
        """To whom they are addressed; the orchestrator takes its ones as one batch."""
        for asked in messages:
            if isinstance(asked, PositionCalculation):
                self.bag.append(calculated(asked, *HELD[asked.portfolio_id]))
        if mine := [m for m in messages if not isinstance(m, PositionCalculation)]:
            for told_done in mine:
                if isinstance(told_done, PositionCalculationDone):
                    self._answered(told_done)
            self._dispatched(told(*mine, seconds=self.clock_s))

    def _answered(self, answer: PositionCalculationDone) -> None:
        seq, market_seq = self.done.get(answer.portfolio_id, (0, 0))
        if answer.error is None:
            seq, market_seq = max(seq, answer.computed_seq), max(market_seq, answer.market_seq)
            self.done[answer.portfolio_id] = seq, market_seq
        else:
            self.failures[answer.portfolio_id] += 1
        one = self.outstanding.get(answer.portfolio_id)
        if one and (answer.error is not None or one.is_answered_by(seq, market_seq)):
            del self.outstanding[answer.portfolio_id]

    def _dispatched(self, calculations: Sequence[PositionCalculation]) -> None:
        for asked in calculations:
            one = self.outstanding.get(asked.portfolio_id)
            overdue = one is not None and self.clock_s - one.left_at_s >= settings.DISPATCH_TIMEOUT_S
            assert one is None or overdue, "a second dispatch while one is outstanding"
            self.outstanding[asked.portfolio_id] = Outstanding(asked, self.clock_s)
            self.bag.append(asked)

    def settle(self) -> None:
        """No more is lost and nothing fails; a person asks again for what failed so often that it may be given up.

        Only for that: whatever failed less often is done without anybody.
        """
        self.clock_s += HOURS
        yet_to_tell = Counter(m.portfolio_id for m in self.bag if isinstance(m, PositionCalculationDone) and m.error)
        all_told = self.failures + yet_to_tell
        if often := {portfolio_id for portfolio_id, n in all_told.items() if n >= FAILURES_MAX}:
            producer = MemoryBroker({MarketDataRecorded.TOPIC: 1}).producer()
            recalculate(portfolio_ids=often, rebuild=False, producer=producer, now=at(self.clock_s))
        for _ in range(6):
            self.act("sweep", "")
            self.act("deliver all", "")
            self.act("deliver all", "")
            self.clock_s += HOURS


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
    history=[("book", "P1"), ("deliver", 0), ("deliver", 0), ("rate", ""), ("deliver", 1), ("deliver", 0)]
)
@example(  # a failure told twice, the second time while the next attempt is on its way
    history=[
        ("book", "P1"),
        ("deliver", 0),
        ("calculator fails", 0),
        ("deliver a copy", 0),
        ("wait", 600),
        ("sweep", ""),
        ("deliver", 0),
        ("deliver", 0),
    ]
)
@example(  # an older done, told while a newer dispatch is outstanding
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
    ]
)
@example(  # calculators that are away for longer than failures are tried again, then fail once
    history=[
        ("book", "P1"),
        ("deliver", 0),
        *[("lose", 0), ("wait", 600), ("sweep", "")] * FAILURES_MAX,
        ("calculator fails", 0),
        ("deliver", 0),
    ]
)
@given(history=st.lists(steps, min_size=4, max_size=30))
def test_whatever_becomes_of_the_messages_all_that_is_owed_is_done_and_one_at_a_time(history):
    with undone(), override_settings(CALCULATION_ATTEMPTS_MAX=FAILURES_MAX):
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
            assert row.done_market_seq >= last_change(*HELD[mark.portfolio_id])
