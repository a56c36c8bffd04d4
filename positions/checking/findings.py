"""Findings: what somebody should look at, though nothing is refused for it. One table of rules at the foot.

A finding is computed from what is there and never stored; it goes as soon as its reason does. Two kinds of rules are
told apart by what they cost: those of the figures look at what is held, however long the history is, and stand in
every answer about positions; those of the ledger read all of a portfolio's transactions, and are only asked for by
themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from portfolio.money import plain
from positions.engine.holdings import Holding, Kind
from positions.engine.rates import Rate
from positions.figures import Snapshot, figure
from transactions.amounts import TOLERANCE, DoubtfulAmount, doubtful_amounts


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found and where; `amount` is the money it affects, in `currency`, and `amount_base` that in base."""

    code: str
    portfolio_id: str
    detail: str
    transaction_id: str | None = None
    security_id: str | None = None
    currency: str | None = None
    amount: Any = None
    amount_base: Any = None

    @property
    def key(self) -> tuple[str, ...]:
        """What it is sorted and known by."""
        where = (self.transaction_id, self.security_id, self.currency)
        return (self.portfolio_id, self.code, *(name or "" for name in where))


@dataclass(frozen=True, slots=True)
class Subject:
    """A portfolio at the end of a day, as it is answered; `error` is why its last calculation failed, if it did."""

    portfolio_id: str
    snapshot: Snapshot
    positions: Sequence[Mapping[str, Any]]
    error: str = ""

    def held(self) -> list[Holding]:
        """What is held: securities, and cash where it is tracked."""
        tracked = self.snapshot.cash_tracked
        return [h for h in self.snapshot.holdings if h.quantity and (tracked or h.key.kind is Kind.SECURITY)]

    def rates(self) -> dict[str, Rate | None]:
        """The rate of the day of each currency held, base itself left out."""
        base, day = self.snapshot.base_currency, self.snapshot.as_of
        currencies = sorted({held.currency for held in self.held()} - {base})
        return {currency: self.snapshot.rates.market(currency, base, day) for currency in currencies}


def findings_of_figures(subject: Subject, codes: Collection[str] | None = None) -> list[Finding]:
    """What the rules of the figures find, of all codes or of these."""
    codes = CODES if codes is None else codes
    rules = dict.fromkeys(rule for code, its in OF_FIGURES.items() if code in codes for rule in its)
    found = (finding for rule in rules for finding in rule(subject))
    return sorted((finding for finding in found if finding.code in codes), key=lambda finding: finding.key)


def findings_of_ledger(
    portfolio_id: str, codes: Collection[str], *, after: tuple[str, str], count: int
) -> list[Finding]:
    """What the rules of the ledger find, of these codes: the first `count` after a code and a transaction.

    The database reads all of the portfolio's transactions for it.
    """
    found: list[Finding] = []
    for code in sorted(OF_LEDGER.intersection(codes)):
        if code >= after[0] and len(found) < count:
            beyond = after[1] if code == after[0] else ""
            missing = code == "EMPTY_AMOUNT"
            rows = doubtful_amounts(portfolio_id=portfolio_id, missing=missing, after=beyond, count=count - len(found))
            found += [_of_amount(portfolio_id, doubtful) for doubtful in rows]
    return found


def finding_answer(finding: Finding) -> dict[str, Any]:
    """The finding as it is answered."""
    return {name: figure(value) if isinstance(value, Decimal) else value for name, value in asdict(finding).items()}


# --- the rules of the figures -------------------------------------------------------------------------------------


def _negative_cash(subject: Subject) -> Iterator[Finding]:
    for held in subject.held():
        if held.key.kind is Kind.CASH and held.quantity < 0:
            detail = f"the balance is {plain(held.quantity)} {held.currency}"
            yield Finding("NEGATIVE_CASH", subject.portfolio_id, detail, currency=held.currency, amount=held.quantity)


def _provisional(subject: Subject) -> Iterator[Finding]:
    snapshot = subject.snapshot
    if snapshot.provisional_portfolio:
        detail = f"the portfolio's attributes have not arrived: base {snapshot.base_currency}, cash untracked till then"
        yield Finding("PROVISIONAL", subject.portfolio_id, detail, currency=snapshot.base_currency)
    for held in snapshot.holdings:
        security_id = held.key.security_id
        if held.key.kind is Kind.SECURITY and held.first_date and security_id not in snapshot.instruments:
            detail = f"the instrument's attributes have not arrived: it counts as one of {held.currency} till then"
            yield Finding("PROVISIONAL", subject.portfolio_id, detail, security_id=security_id, currency=held.currency)


def _calculation_failed(subject: Subject) -> Iterator[Finding]:
    if subject.error:
        yield Finding("CALCULATION_FAILED", subject.portfolio_id, subject.error)


def _unpriced(subject: Subject) -> Iterator[Finding]:
    for position in subject.positions:
        price = position["price"]
        if isinstance(price, dict) and position["quantity"] != "0":
            yield _of_position(subject, position, price["unavailable"], price["detail"])


def _stale_price(subject: Subject) -> Iterator[Finding]:
    for position in subject.positions:
        if "STALE" in position["flags"] and position["quantity"] != "0":
            detail = f"the last price is of {position['price_date']}, more than 5 trading days before the day valued"
            yield _of_position(subject, position, "STALE", detail)


def _of_position(subject: Subject, position: Mapping[str, Any], code: str, detail: str) -> Finding:
    return Finding(
        code,
        subject.portfolio_id,
        detail,
        security_id=position["security_id"],
        currency=position["currency"],
        amount=position["market_value"],
        amount_base=position["market_value_base"],
    )


def _without_rate(subject: Subject) -> Iterator[Finding]:
    base = subject.snapshot.base_currency
    for currency, rate in subject.rates().items():
        if rate is None:
            detail = f"no rate on or before {subject.snapshot.as_of} leads from {currency} to {base}"
            yield Finding("MISSING_FX_RATE", subject.portfolio_id, detail, currency=currency)


def _stale_rate(subject: Subject) -> Iterator[Finding]:
    base, day = subject.snapshot.base_currency, subject.snapshot.as_of
    for currency, rate in subject.rates().items():
        if rate and rate.stale_on(day):
            detail = f"the last rate from {currency} to {base} is of {rate.quoted_date}, more than 7 days before {day}"
            yield Finding("STALE_FX_RATE", subject.portfolio_id, detail, currency=currency)


# --- the rules of the ledger --------------------------------------------------------------------------------------


def _of_amount(portfolio_id: str, doubtful: DoubtfulAmount) -> Finding:
    code = "EMPTY_AMOUNT"
    detail = f"the {doubtful.transaction_type} has neither an amount nor quantity and price: it counts as 0"
    if doubtful.given is not None and doubtful.product is not None:
        product = plain(doubtful.product)
        code = "AMOUNT_DIFFERS"
        detail = (
            f"quantity x price x price factor is {product}: more than {TOLERANCE:.1%} away; the amount given counts"
        )
    return Finding(
        code,
        portfolio_id,
        detail,
        transaction_id=doubtful.transaction_id,
        security_id=doubtful.security_id,
        currency=doubtful.currency,
        amount=doubtful.given if doubtful.given is not None else Decimal(0),
    )


OF_FIGURES: Mapping[str, Sequence[Callable[[Subject], Iterator[Finding]]]] = {
    "CALCULATION_FAILED": [_calculation_failed],
    "MISSING_FX_RATE": [_without_rate, _unpriced],
    "MISSING_PRICE": [_unpriced],
    "NEGATIVE_CASH": [_negative_cash],
    "PROVISIONAL": [_provisional],
    "STALE": [_stale_price],
    "STALE_FX_RATE": [_stale_rate],
}
OF_LEDGER = frozenset({"AMOUNT_DIFFERS", "EMPTY_AMOUNT"})
OF_BOOKING = frozenset({"OVERSOLD", "NOTHING_HELD", "TARGET_ON_OTHER_SIDE", "TRANSFER_UNMATCHED"})
"""The open exceptions: what booking itself has found."""
CODES = sorted({*OF_FIGURES, *OF_LEDGER, *OF_BOOKING})
