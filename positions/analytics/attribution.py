"""Attribution: why a portfolio returned more or less than its benchmark, by segment.

G. P. Brinson and N. Fachler, "Measuring Non-U.S. Equity Portfolio Performance", Journal of Portfolio Management 11
(1985). With weight w and return r of a segment in the portfolio, w_b and r_b in the benchmark, and B the benchmark's:

    allocation  (w - w_b) * (r_b - B)     more of what did better than the rest
    selection   w_b * (r - r_b)           better ones of their kind
    interaction (w - w_b) * (r - r_b)     more of where the better ones were

Of the portfolio the *contribution* of a segment is given, w * r: what was bought and sold within a period may have
gained on no opening weight at all. A segment without a weight has no return; what it contributed is interaction.
The effects of a period add up to the active return, those of several periods when linked by Cariño.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolio.money import ONE, ZERO, exact
from positions.analytics.days import kept
from positions.analytics.linking import carino_factors, compounded
from positions.analytics.unavailable import Unavailable, unavailable

Figure = Decimal | Unavailable

ROUNDING_OF_WEIGHTS = Decimal("0.001")
"""How far published weights of a benchmark may add up to something else than 1, by their rounding."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment in one period: weight in the portfolio and contribution to its return, weight and return in the
    benchmark. One that the benchmark does not hold nor rate is compared with all of it.
    """

    name: str
    weight: Decimal = ZERO
    contribution: Decimal = ZERO
    benchmark_weight: Decimal = ZERO
    benchmark_return: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AttributionPeriod:
    """The segments of a period that ends on `date`; the portfolio's weights add up to 1.

    `missing` is the code that says why, where a figure of the portfolio is UNKNOWN.
    """

    date: datetime.date
    segments: Sequence[Segment]
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Effects:
    """The effects of a segment, or of all."""

    name: str
    allocation: Decimal
    selection: Decimal
    interaction: Decimal

    @property
    def total(self) -> Decimal:
        with exact():
            return self.allocation + self.selection + self.interaction

    def scaled(self, factor: Decimal) -> Effects:
        return Effects(self.name, self.allocation * factor, self.selection * factor, self.interaction * factor)


@dataclass(frozen=True, slots=True)
class PeriodEffects:
    """One period by itself, not linked."""

    date: datetime.date
    portfolio_return: Decimal
    benchmark_return: Decimal
    segments: tuple[Effects, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """The whole: `active_return` is the portfolio's return less the benchmark's, and the sum of all linked effects."""

    portfolio_return: Figure
    benchmark_return: Figure
    active_return: Figure
    segments: tuple[Effects, ...] = ()
    periods: tuple[PeriodEffects, ...] = ()


def attribution(periods: Sequence[AttributionPeriod]) -> Attribution:
    """The effects of the periods, and of all of them linked.

    Unavailable: NO_BENCHMARK without periods, or where the benchmark's weights of one do not add up to 1, rounding
    apart; what is missing in the portfolio; NEGATIVE_CAPITAL where one of the two lost more than it had.
    Raises ValueError where the portfolio's weights do not add up to 1.
    """
    with exact():
        why = next((why for period in periods if (why := _why_not(period))), None)
        if why or not periods:
            return _none(why or unavailable("NO_BENCHMARK"))
        singles = tuple(effects_of(period) for period in periods)
        ours = [single.portfolio_return for single in singles]
        theirs = [single.benchmark_return for single in singles]
        factors = carino_factors(ours, theirs)
        if isinstance(factors, Unavailable):
            return _none(factors)
        scaled = [
            effects.scaled(factor)
            for single, factor in zip(singles, factors, strict=True)
            for effects in single.segments
        ]
        total, benchmark = compounded(ours), compounded(theirs)
        return Attribution(kept(total), kept(benchmark), kept(total - benchmark), _by_segment(scaled), singles)


def effects_of(period: AttributionPeriod) -> PeriodEffects:
    """The effects of one period. Raises ValueError where the portfolio's weights do not add up to 1."""
    with exact():
        weights = sum((segment.weight for segment in period.segments), ZERO)
        if abs(weights - ONE) > Decimal("1e-12"):
            raise ValueError(f"the portfolio's weights of {period.date} add up to {weights}")
        # The published weights, freed of their rounding.
        whole = sum((segment.benchmark_weight for segment in period.segments), ZERO)
        benchmark = sum((s.benchmark_weight * (s.benchmark_return or ZERO) for s in period.segments), ZERO) / whole
        return PeriodEffects(
            period.date,
            sum((segment.contribution for segment in period.segments), ZERO),
            benchmark,
            tuple(_effects(segment, segment.benchmark_weight / whole, benchmark) for segment in period.segments),
        )


def _effects(segment: Segment, benchmark_weight: Decimal, benchmark: Decimal) -> Effects:
    theirs = benchmark if segment.benchmark_return is None else segment.benchmark_return
    ours = segment.contribution / segment.weight if segment.weight else theirs
    allocation = (segment.weight - benchmark_weight) * (theirs - benchmark)
    selection = benchmark_weight * (ours - theirs)
    return Effects(segment.name, allocation, selection, segment.contribution - segment.weight * theirs - selection)


def _by_segment(effects: Iterable[Effects]) -> tuple[Effects, ...]:
    sums: dict[str, Effects] = {}
    for one in effects:
        before = sums.get(one.name, Effects(one.name, ZERO, ZERO, ZERO))
        sums[one.name] = Effects(
            one.name,
            before.allocation + one.allocation,
            before.selection + one.selection,
            before.interaction + one.interaction,
        )
    return tuple(
        Effects(name, kept(one.allocation), kept(one.selection), kept(one.interaction))
        for name, one in sorted(sums.items())
    )


def _why_not(period: AttributionPeriod) -> Unavailable | None:
    if any((segment.weight + segment.contribution).is_nan() for segment in period.segments):
        return unavailable(period.missing or "MISSING_FX_RATE")
    whole = sum((segment.benchmark_weight for segment in period.segments), ZERO)
    if whole.is_nan() or abs(whole - ONE) > ROUNDING_OF_WEIGHTS:
        return unavailable("NO_BENCHMARK", f"the benchmark's weights of {period.date} add up to {whole:f}")
    if any(s.benchmark_weight and (s.benchmark_return is None or s.benchmark_return.is_nan()) for s in period.segments):
        return unavailable("NO_BENCHMARK", f"the benchmark has a weight without a return on {period.date}")
    return None


def _none(why: Unavailable) -> Attribution:
    return Attribution(why, why, why)
