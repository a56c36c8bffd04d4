"""What-if: a portfolio, transactions and a market in; positions, lots, disposals and exceptions out; nothing stored.

The request is read by the same rules as the door's, booked by the same engine as the calculators', and answered in the
same words as the stored positions.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from portfolio.amounts import Quoted, amount_of
from portfolio.dates import DAYS_MAX
from portfolio.money import OutOfRange
from portfolio.streaming.messages import (
    CostMethod,
    Identifier,
    Submission,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
    SubmittedTransaction,
)
from portfolio.validation import FieldProblem, Refused, read
from positions.analytics.history import History, Quote, Recorder
from positions.analytics.periods import Period
from positions.engine.booking import Books, book
from positions.engine.entry import InstrumentTerms, Terms, enrich, key_of
from positions.engine.rates import RateTable
from positions.figures import Snapshot, disposal_answer, exception_answer, lots_answer, portfolio_answer
from positions.periods.evaluated import checked_period, period_answers
from transactions.ledger import LedgerRow, content_hash, normalised

S = TypeVar("S", bound=Submission)

UNNAMED = "PORTFOLIO"


class EvaluatedPortfolio(SubmittedPortfolio, frozen=True, kw_only=True):
    """A portfolio whose id may be left out."""

    portfolio_id: Identifier = UNNAMED


class EvaluatedTransaction(SubmittedTransaction, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """A transaction whose portfolio may be left out; fields that are none are passed over."""

    portfolio_id: Identifier = UNNAMED


class Request(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of an evaluation; each part in the words of ingestion."""

    portfolio: msgspec.Raw
    transactions: list[msgspec.Raw] = []
    instruments: list[msgspec.Raw] = []
    market_prices: list[msgspec.Raw] = []
    fx_rates: list[msgspec.Raw] = []
    as_of: datetime.date | None = None
    start: datetime.date | None = None
    end: datetime.date | None = None
    cost_method: CostMethod | None = None


def evaluate(body: bytes, *, today: datetime.date, records_max: int | None = None) -> dict[str, Any]:
    """The answer to a request, as of the day it names or else today. Raises `portfolio.validation.Refused`.

    `records_max` bounds what the lists of the request hold together.
    """
    request = _request(body)
    lists = {name: getattr(request, name) for name in Request.__struct_fields__}
    sizes = {name: len(one) for name, one in lists.items() if isinstance(one, list)}
    records = sum(sizes.values())
    if records_max is not None and records > records_max:
        longest = max(sizes, key=lambda name: sizes[name])
        detail = f"{sizes[longest]:,} of {records:,} records in all; a what-if has {records_max:,} at most"
        raise Refused([FieldProblem(longest, "too_many", detail)])
    try:
        return _evaluate(request, today)
    except OutOfRange as error:
        raise Refused([FieldProblem("transactions", "out_of_range", f"cannot be computed: {error}")]) from error


def _evaluate(request: Request, today: datetime.date) -> dict[str, Any]:
    problems: list[FieldProblem] = []
    portfolio = next(iter(_read_all(EvaluatedPortfolio, [request.portfolio], "portfolio", problems)), None)
    transactions = _read_all(EvaluatedTransaction, request.transactions, "transactions", problems)
    instruments = _read_all(SubmittedInstrument, request.instruments, "instruments", problems)
    prices = _read_all(SubmittedPrice, request.market_prices, "market_prices", problems)
    rates = _read_all(SubmittedRate, request.fx_rates, "fx_rates", problems)
    if portfolio is not None:
        problems += _of_others(portfolio, transactions)
        transactions = [msgspec.structs.replace(one, portfolio_id=portfolio.portfolio_id) for one in transactions]
    if problems or portfolio is None:
        raise Refused(problems)
    as_of = request.as_of or request.end or today
    rate_table = RateTable()
    for rate in sorted(rates, key=lambda r: r.version):
        rate_table.put(rate.from_currency, rate.to_currency, rate.rate_date, rate.rate)
    terms = Terms(
        portfolio_id=portfolio.portfolio_id,
        base_currency=portfolio.base_currency,
        cost_basis_method=request.cost_method or portfolio.cost_basis_method,
        cash_tracked=portfolio.cash_mode == "TRACKED",
        allow_short=portfolio.allow_short,
        fees_in_cost=portfolio.fees_in_cost,
        instruments={
            i.security_id: InstrumentTerms(i.currency, i.price_factor, i.exchange)
            for i in sorted(instruments, key=lambda i: i.version)
        },
        rates=rate_table,
    )
    rows = sorted(_unlinked(_effective(transactions), transactions), key=key_of)
    quotes = _quotes(prices)
    period = checked_period(request.start, request.end, as_of)
    if period and rows:
        _refuse_what_is_too_long_ago(transactions, rows[0], period)
    books, history = _booked(rows, terms, quotes, until=as_of, every_day=period is not None)
    snapshot = Snapshot(
        base_currency=terms.base_currency,
        as_of=as_of,
        cash_tracked=terms.cash_tracked,
        holdings=list(books.holdings.values()),
        market_prices={name: quote for name in quotes if (quote := history.quote(name, as_of))},
        instruments=terms.instruments,
        rates=rate_table,
        quotes_before=history.quote,
    )
    answer = {
        **portfolio_answer(snapshot, closed=True),
        "lots": lots_answer(books.holdings.values()),
        "disposals": [disposal_answer(disposal) for disposal in books.disposals],
        "exceptions": [exception_answer(problem) for problem in books.problems],
    }
    if period:
        if period.end > as_of:
            _, history = _booked(rows, terms, quotes, until=period.end, every_day=True)
        answer |= period_answers(history, period, portfolio.benchmark_security_id)
    return answer


def _booked(
    rows: Sequence[LedgerRow],
    terms: Terms,
    quotes: Mapping[str, Sequence[Quote]],
    *,
    until: datetime.date,
    every_day: bool,
) -> tuple[Books, History]:
    """The rows up to a day booked, and the history this makes."""
    books = Books(terms)
    recorder = Recorder(books, every_day=every_day)
    book((enrich(row, terms) for row in rows if row.transaction_date <= until), books, recorder.end_of_day)
    history = History(
        base_currency=terms.base_currency,
        cash_tracked=terms.cash_tracked,
        timelines=recorder.timelines(),
        moves=books.moves,
        quotes=quotes,
        instruments=terms.instruments,
        rates=terms.rates,
    )
    return books, history


def _refuse_what_is_too_long_ago(
    transactions: Sequence[EvaluatedTransaction], first: LedgerRow, period: Period
) -> None:
    """Refuse a first transaction since which there are more days than are valued. Raises Refused."""
    if (period.end - first.transaction_date).days <= DAYS_MAX:
        return
    index = next(i for i, one in enumerate(transactions) if one.transaction_id == first.transaction_id)
    detail = f"is more than {DAYS_MAX} days before the end of the period, {period.end}"
    raise Refused([FieldProblem(f"transactions.{index}.transaction_date", "out_of_range", detail)])


def _request(body: bytes) -> Request:
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        text, _, path = str(error).partition(" - at `$.")
        named = _NAMED.search(text)
        raise Refused([FieldProblem(named[1] if named else path.rstrip("`"), "invalid", text)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused([FieldProblem("", "malformed", f"is not JSON: {error}")]) from error


_decoder = msgspec.json.Decoder(Request)
_NAMED = re.compile(r"(?:required|unknown) field `([^`]+)`")
"""The field that a message about the whole request speaks of."""


def _read_all(
    submission_type: type[S], raws: Sequence[msgspec.Raw], name: str, problems: list[FieldProblem]
) -> list[S]:
    """The submissions that can be read; what is wrong with the others joins the problems, under its place."""
    submissions: list[S] = []
    for index, raw in enumerate(raws):
        place = name if name == "portfolio" else f"{name}.{index}"
        try:
            submissions.append(read(submission_type, memoryview(raw)))
        except Refused as refusal:
            problems += [FieldProblem(f"{place}.{p.field}".rstrip("."), p.code, p.detail) for p in refusal.problems]
    return submissions


def _of_others(portfolio: EvaluatedPortfolio, transactions: Sequence[EvaluatedTransaction]) -> list[FieldProblem]:
    """The transactions of another portfolio."""
    problems = []
    for index, transaction in enumerate(transactions):
        if transaction.portfolio_id not in (UNNAMED, portfolio.portfolio_id):
            detail = f"is not that of the portfolio evaluated, {portfolio.portfolio_id}"
            problems.append(FieldProblem(f"transactions.{index}.portfolio_id", "contradiction", detail))
    return problems


def _effective(transactions: Sequence[SubmittedTransaction]) -> list[LedgerRow]:
    """The highest version of each id, unless cancelled. Raises Refused where one version has two contents."""
    versions: dict[tuple[str, int], LedgerRow] = {}
    problems = []
    for index, transaction in enumerate(transactions):
        row = normalised(transaction)
        standing = versions.setdefault((row.transaction_id, row.version), row)
        if standing is not row and content_hash(standing) != content_hash(row):
            detail = f"version {row.version} of {row.transaction_id} is given twice, with different content"
            problems.append(FieldProblem(f"transactions.{index}.transaction_id", "conflict", detail))
    if problems:
        raise Refused(problems)
    highest: dict[str, LedgerRow] = {}
    for (transaction_id, version), row in versions.items():
        if transaction_id not in highest or version > highest[transaction_id].version:
            highest[transaction_id] = row
    return [row for row in highest.values() if not row.cancelled]


def _unlinked(rows: Sequence[LedgerRow], transactions: Sequence[SubmittedTransaction]) -> list[LedgerRow]:
    """The rows, those without their link whose other leg is not in the request: nothing can be said of it."""
    asked = {transaction.transaction_id for transaction in transactions}
    return [
        row
        if row.linked_portfolio_id == row.portfolio_id and row.linked_transaction_id in asked
        else msgspec.structs.replace(row, linked_portfolio_id=None, linked_transaction_id=None)
        for row in rows
    ]


def _quotes(prices: Sequence[SubmittedPrice]) -> dict[str, list[Quote]]:
    """The prices by security and day; of one day that of the highest version, of equal ones the later."""
    days: dict[str, dict[datetime.date, Quote]] = {}
    for price in sorted(prices, key=lambda p: (p.price_date, p.version)):
        of_security = days.setdefault(price.security_id, {})
        of_security[price.price_date] = Quote(price.price_date, amount_of(price.price, Quoted), price.currency)
    return {security_id: list(of_security.values()) for security_id, of_security in days.items()}
