"""What-if: a portfolio, transactions and a market in; positions, lots, disposals and exceptions out; nothing stored.

The request is read by the same rules as the door's, booked by the same engine as the calculators', and answered in the
same words as the stored positions.
"""

from __future__ import annotations

import datetime
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

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
from positions.engine.booking import Books, book
from positions.engine.carried import Quotes
from positions.engine.entry import InstrumentTerms, Terms, enrich, key_of
from positions.engine.lots import HoldingKey, Kind
from positions.engine.rates import RateTable
from positions.engine.valuation import MarketPrice
from positions.figures import Snapshot, disposal_answer, exception_answer, lots_answer, portfolio_answer
from positions.split_history import SplitHistory
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


def evaluate(body: bytes, *, today: datetime.date) -> dict[str, Any]:
    """The answer to a request, as of the day it names or else today. Raises `portfolio.validation.Refused`."""
    try:
        return _evaluate(_request(body), today)
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
        problems += _not_answered(request, portfolio, transactions)
    if problems or portfolio is None:
        raise Refused(problems)
    as_of = request.as_of or today
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
            i.security_id: InstrumentTerms(i.currency, i.price_factor)
            for i in sorted(instruments, key=lambda i: i.version)
        },
        rates=rate_table,
    )
    rows = [row for row in _unlinked(_effective(transactions), transactions) if row.transaction_date <= as_of]
    splits = SplitHistory()
    books = Books(terms)
    book((enrich(row, terms) for row in sorted(rows, key=key_of)), books, splits.watch(books))
    quotes = _quotes(prices, splits)
    snapshot = Snapshot(
        base_currency=terms.base_currency,
        as_of=as_of,
        cash_tracked=terms.cash_tracked,
        holdings=list(books.holdings.values()),
        market_prices={p.security_id: quote for p in prices if (quote := quotes(p.security_id, as_of))},
        instruments=terms.instruments,
        rates=rate_table,
        quotes_before=quotes,
    )
    return {
        **portfolio_answer(snapshot, closed=True),
        "lots": lots_answer(books.holdings.values()),
        "disposals": [disposal_answer(disposal) for disposal in books.disposals],
        "exceptions": [exception_answer(problem) for problem in books.problems],
    }


def _request(body: bytes) -> Request:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        text, _, path = str(error).partition(" - at `$.")
        raise Refused([FieldProblem(path.rstrip("`"), "malformed", text)]) from error


_decoder = msgspec.json.Decoder(Request)


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


def _not_answered(
    request: Request, portfolio: EvaluatedPortfolio, transactions: Sequence[EvaluatedTransaction]
) -> list[FieldProblem]:
    """What is asked for that is not answered: a period, and transactions of another portfolio."""
    problems = [
        FieldProblem(name, "not_supported", "a statement and performance of a period are not supported yet")
        for name in ("start", "end")
        if getattr(request, name) is not None
    ]
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
        if content_hash(standing) != content_hash(row):
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


def _quotes(prices: Sequence[SubmittedPrice], splits: SplitHistory) -> Quotes:
    """The last price of a security on or before a day; of one day the highest version, of equal ones the later."""
    by_security: dict[str, list[SubmittedPrice]] = {}
    for price in sorted(prices, key=lambda p: (p.price_date, p.version)):
        by_security.setdefault(price.security_id, []).append(price)

    def quote(security_id: str, day: datetime.date) -> MarketPrice | None:
        of_security = by_security.get(security_id, [])
        index = bisect_right(of_security, day, key=lambda price: price.price_date)
        if not index:
            return None
        last = of_security[index - 1]
        ratio = splits.ratio(HoldingKey(Kind.SECURITY, security_id), last.price_date)
        return MarketPrice(last.price, last.currency, last.price_date, ratio)

    return quote
