"""What the same money would have returned in a benchmark: any instrument with market prices, in the portfolio's base.

One unit at the start is, after splits, so many at the end; its worth on a day is the last market price on or before the
day times these units, at the rate of the day from the currency it is quoted in. Only prices count, as an index has no
own trades; a benchmark whose income should count is a total return index.

The money-weighted return puts the portfolio's own opening value and flows into the benchmark, each at the price of its
day, and asks what that returned: how well the flows were timed is then the same on both sides.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolio.amounts import number_of
from portfolio.money import ONE, ZERO, exact
from positions.analytics.days import Day, kept
from positions.analytics.money_weighted import CashFlow, MoneyWeightedReturn, internal_rate_of_return
from positions.analytics.performance import Performance
from positions.analytics.periods import Period
from positions.analytics.unavailable import Unavailable, unavailable
from positions.engine.rates import RateTable
from positions.engine.valuation import MarketPrice, is_stale

Figure = Decimal | Unavailable


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What a unit of the benchmark is worth on a day: its price as quoted, and the rate from its currency to base."""

    price: MarketPrice
    fx_rate: Decimal
    worth: Decimal
    """In base, of as many units as one unit from before all splits has become."""
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """An instrument to compare with, and its last market prices on or before the days that matter."""

    security_id: str
    base_currency: str
    rates: RateTable
    prices: Mapping[datetime.date, MarketPrice]
    exchange: str | None = None

    def worth_on(self, day: datetime.date) -> Decimal | None:
        """What `on` says a unit is worth, and no more than that; None where it says nothing. Needs `exact`."""
        price = self.prices.get(day)
        rate = self.rates.market(price.currency, self.base_currency, day) if price else None
        return number_of(price.price) * price.split_ratio * rate.value if price and rate else None

    def on(self, day: datetime.date) -> UnitPrice | Unavailable:
        """The benchmark at the end of a day; NO_BENCHMARK where it has no price, or no rate leads to base."""
        price = self.prices.get(day)
        if price is None:
            return unavailable("NO_BENCHMARK", f"{self.security_id} has no market price on or before {day}")
        rate = self.rates.market(price.currency, self.base_currency, day)
        if rate is None:
            way = f"from {price.currency}, in which {self.security_id} is quoted, to {self.base_currency}"
            return unavailable("NO_BENCHMARK", f"on {day} no rate leads {way}")
        flags = {"STALE"} if is_stale(price.price_date, day, self.exchange) else set()
        if rate.stale_on(day):
            flags.add("STALE_FX_RATE")
        with exact():
            return UnitPrice(
                price, rate.value, number_of(price.price) * price.split_ratio * rate.value, frozenset(flags)
            )


def days_of_benchmark(days: Iterable[Day], returns: Performance) -> list[datetime.date]:
    """On which days the benchmark's price matters: starts and end of all periods, and the flows of the one asked for.

    `days` holds every day of that period with a flow.
    """
    period = returns.returns.period
    flowing = (day.date for day in days if period.start < day.date <= period.end and (day.inflow or day.outflow))
    starts = (of.period.start for of in returns.periods.values())
    return sorted({period.start, period.end, *starts, *flowing})


def benchmark_return(benchmark: Benchmark, period: Period) -> Figure:
    """By how much a unit became worth more over the period."""
    start, end = benchmark.on(period.start), benchmark.on(period.end)
    if isinstance(start, Unavailable):
        return start
    if isinstance(end, Unavailable):
        return end
    if not start.worth:
        return _worthless(benchmark, period.start)
    with exact():
        return kept(end.worth / start.worth - ONE)


def benchmark_money_weighted_return(benchmark: Benchmark, days: Sequence[Day], period: Period) -> MoneyWeightedReturn:
    """What the opening value and the flows of the period would have returned in the benchmark.

    `days` holds the start and every later day of the period with a flow.
    """
    opening = next(day for day in days if day.date == period.start)
    unknown = opening.why_unknown(opening.value)
    flows, units = [CashFlow(period.start, -opening.value)], ZERO
    with exact():
        for day in days:
            if not period.start <= day.date <= period.end:
                continue
            put_in = opening.value if day is opening else day.inflow - day.outflow
            if not put_in:
                continue
            at = benchmark.on(day.date)
            unknown = unknown or day.why_unknown(put_in) or (at if isinstance(at, Unavailable) else None)
            if isinstance(at, UnitPrice) and not at.worth:
                unknown = unknown or _worthless(benchmark, day.date)
            if unknown:
                break
            assert isinstance(at, UnitPrice), "known"
            units += put_in / at.worth
            if day is not opening:
                flows.append(CashFlow(day.date, -put_in))
        end = benchmark.on(period.end)
        unknown = unknown or (end if isinstance(end, Unavailable) else None)
        if unknown:
            return MoneyWeightedReturn(period.start, period.end, unknown, unknown)
        assert isinstance(end, UnitPrice), "known"
        flows.append(CashFlow(period.end, units * end.worth))
    return internal_rate_of_return(flows, start=period.start, end=period.end)


def _worthless(benchmark: Benchmark, day: datetime.date) -> Unavailable:
    return unavailable("NO_BENCHMARK", f"{benchmark.security_id} is worth nothing on {day}")
