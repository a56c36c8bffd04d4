"""A portfolio on a terminal: its positions, statement, returns and risk, from the answers that the API gives of them.

Figures are rounded here, for the eye, and nowhere before. What there is no figure for is a dash with a number, and the
reasons stand below under these numbers; so do those why a figure is doubtful, whose number stands beside it. A price
that is not of the day reported says of which day it is. Everything fits in the columns there are, REPORT_WIDTH at most;
a figure that is wider is broken over two lines, never cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from portfolio.report_cells import DASH, DOUBTS, STYLE, Notes, rounded, table_of

REPORT_WIDTH = 100

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported, each part as the API answers it."""

    positions: Answer
    statement: Answer
    performance: Answer
    risk: Answer


def print_report(report: Report, console: Console) -> None:
    """Print it, as wide as the console is."""
    width = min(console.width, REPORT_WIDTH)
    console.print(_laid_out(report, narrow=width < REPORT_WIDTH), width=width)


def _laid_out(report: Report, *, narrow: bool) -> Group:
    notes = Notes()
    positions, statement = report.positions, report.statement
    head = f"{positions['portfolio_id']}, in {positions['base_currency']}, {positions['cost_method']}"
    parts: list[RenderableType] = [
        Text(head, style="bold"),
        *_pending(report),
        _positions(positions, notes, narrow=narrow),
        *_exceptions(report, notes),
        _statement(statement, notes),
        _returns(report.performance, notes),
        _risk(report.risk, notes),
        *notes.listed(),
    ]
    return Group(*parts)


# --- the parts ----------------------------------------------------------------------------------------------------


def _pending(report: Report) -> Iterable[Text]:
    """One line, where calculations of positions, or of the days that returns are made from, are on their way."""
    pending = report.positions["pending"] or report.performance["pending"]
    if pending:
        error = f" The last one failed: {pending['error']}" if pending["error"] else ""
        since = str(pending["since"])[:_TO_THE_MINUTE].replace("T", " ")
        yield Text(f"Calculations are pending since {since} UTC: figures may change.{error}", style="yellow")


_TO_THE_MINUTE = len("2025-01-31T12:00")


def _positions(answer: Answer, notes: Notes, *, narrow: bool) -> Table:
    """Where it is `narrow` the currency of a price stands below it, and the cost, which is the value less what is
    unrealized, is left out.
    """
    title = f"Positions at the end of {answer['as_of']}"
    table = table_of(title, "holding", "quantity", "price", *_VALUED[narrow:], "weight")
    for one in answer["positions"]:
        quantity = notes.quantity(one["quantity"])
        figures = [notes.number(one[f"{name}_base"]) for name in _POSITION[narrow:]]
        name = notes.marked(Text(one["security_id"]), [flag for flag in one["flags"] if flag not in _OF_PRICES])
        table.add_row(name, quantity, _price(one, answer, notes, narrow=narrow), *figures, notes.percent(one["weight"]))
    marks = {one["currency"]: one["code"] for one in answer["remarks"] if one.get("currency")}
    for one in answer["cash"]:
        figures = [notes.number(one[name]) for name in _CASH[narrow:]]
        stale = [code for code in (marks.get(one["currency"]),) if code in DOUBTS]
        name = notes.marked(Text(f"cash {one['currency']}"), stale)
        table.add_row(name, notes.number(one["balance"]), "", *figures, "")
    table.add_section()
    totals = [notes.number(answer["totals"][name]) for name in _TOTALS[narrow:]]
    table.add_row("total", "", "", *totals, "", style="bold")
    (used,) = answer["sources"]
    table.caption = _used(used)
    return table


def _price(one: Answer, answer: Answer, notes: Notes, *, narrow: bool) -> Text:
    """A price, what is doubtful in it and, where it is not of the day reported, its own day below."""
    doubts = [flag for flag in one["flags"] if flag in _OF_PRICES]
    currency = Text(("\n" if narrow else " ") + one["currency"])
    number = notes.number(one["price"])
    price = notes.marked(number, doubts) + currency if narrow else notes.marked(number + currency, doubts)
    another = one["price_date"] and str(one["price_date"]) != str(answer["as_of"])
    return price + Text(f"\n{one['price_date']}", style="dim") if another else price


def _used(used: Answer) -> Text:
    """Where the prices are from, and the rates."""
    prices = used["prices"]
    counts = [f"{prices[kind]} {words}" for kind, words in _PRICES.items() if prices[kind]]
    since = f", the oldest of {prices['oldest_date']}" if prices["oldest_date"] else ""
    lines = [f"prices: {', '.join(counts)}{since}"] if counts else []
    for rate in used["rates"]:
        if isinstance(rate["fx_rate"], str):
            value = f"{rounded(Decimal(rate['fx_rate']), _RATE_DECIMALS):f}".rstrip("0").rstrip(".")
            lines.append(f"{rate['currency']} at {value} of {rate['rate_date']}")
    return Text(" · ".join(lines) + "\n")


_PRICES = {"market": "of the market", "trade": "of own trades", "missing": "missing", "stale": "of these stale"}
_RATE_DECIMALS = 6
_OF_PRICES = frozenset({"FROM_TRADE", "STALE"})


def _exceptions(report: Report, notes: Notes) -> Iterable[Table]:
    """The transactions that were left out, or booked otherwise than they asked; nothing where there are none."""
    told = [*report.positions["exceptions"], *report.statement["exceptions"]]
    exceptions = {(one["transaction_id"], one["code"]): one for one in told}.values()
    if not exceptions:
        return
    table = Table(title="Not booked as asked", **STYLE)
    for heading in ("transaction", "holding", "exception"):
        table.add_column(heading, overflow="fold")
    for heading in ("quantity", "amount"):
        table.add_column(heading, justify="right", overflow="fold")
    table.add_column("why", overflow="fold", ratio=1)
    for one in exceptions:
        quantity = notes.quantity(one["quantity"]) if one["quantity"] is not None else ""
        amount = notes.number(one["amount"]) + Text(f" {one['currency']}") if one["amount"] is not None else ""
        code = Text(one["code"], style="yellow")
        table.add_row(one["transaction_id"], one["security_id"] or "", code, quantity, amount, one["detail"])
    yield table


_VALUED = ("cost", "value", "un-\nrealized", "realized")
_POSITION = ("cost_basis", "market_value", "unrealized_gain", "realized_gain")
_CASH = ("cost_base", "balance_base", "unrealized_fx_gain_base", "realized_fx_gain_base")
_TOTALS = ("cost_basis", "value", "unrealized_gain", "realized_gain")


def _statement(answer: Answer, notes: Notes) -> Table:
    """The rows of the holdings; below them what belongs to none of them, and the portfolio's own line."""
    headings = ("holding", "opening", "in", "out", "price gain", "FX gain", "closing")
    table = table_of(f"Statement {_from_to(answer)}", *headings)
    for one in answer["holdings"]:
        name = one["security_id"] if "security_id" in one else f"cash {one['currency']}"
        table.add_row(name, *(notes.number(one[term]) for term in _ROW))
    table.add_section()
    table.add_row("portfolio", *(notes.number(answer[term]) for term in _PORTFOLIO), style="bold")
    earned = Text(" · ").join(Text(f"{name} ") + notes.number(answer[name]) for name in ("income", "fees", "taxes"))
    residual = Text(" · residual ") + notes.number(answer["residual"])
    table.caption = earned + residual + Text("\n")
    return table


_ROW = ("opening", "money_in", "money_out", "price_gain", "fx_gain", "closing")
_PORTFOLIO = ("opening", "inflows", "outflows", "price_gain", "fx_gain", "closing")


def _returns(answer: Answer, notes: Notes) -> Table:
    headings = ("from", "time-\nweighted", "a year", "money-\nweighted", "a year", "Dietz", "benchmark")
    table = table_of(f"Returns up to {answer['end']}", "period", *headings)
    asked = {} if answer.get("period") in answer["periods"] else {"asked": answer}
    for name, of in {**asked, **answer["periods"]}.items():
        table.add_row(name, str(of["start"]), *(notes.percent(of[measure]) for measure in _MEASURES))
    table.caption = Text("".join(f"{_on_days(one)}\n" for one in answer["remarks"]))
    return table


def _on_days(remark: Answer) -> str:
    days = "day" if remark["days"] == 1 else "days"
    return f"{remark['code']} on {remark['days']:,} {days} from {remark['first']} to {remark['last']}"


_MEASURES = (
    "time_weighted_return",
    "time_weighted_return_annualized",
    "money_weighted_return",
    "money_weighted_return_annualized",
    "modified_dietz",
    "benchmark_return",
)


def _risk(answer: Answer, notes: Notes) -> Table:
    """Pairs of a name and a figure, three beside one another."""
    returns = f"{answer['returns_count']} daily returns, Monday to Friday"
    table = Table(title=f"Risk {_from_to(answer)}, {returns}", **STYLE)
    pairs = list(_risk_pairs(answer, notes))
    for _ in range(_PAIRS_A_LINE):
        table.add_column(overflow="fold")
        table.add_column(justify="right", overflow="fold")
    for start in range(0, len(pairs), _PAIRS_A_LINE):
        table.add_row(*(cell for pair in pairs[start : start + _PAIRS_A_LINE] for cell in pair))
    table.show_header = False
    return table


_PAIRS_A_LINE = 3


def _risk_pairs(answer: Answer, notes: Notes) -> Iterable[tuple[str, Text]]:
    benchmark = answer["benchmark"]
    yield "volatility", notes.percent(answer["volatility"])
    yield "Sharpe ratio", notes.number(answer["sharpe_ratio"])
    yield "beta", notes.number(benchmark["beta"])
    yield "downside risk", notes.percent(answer["downside_risk"])
    yield "Sortino ratio", notes.number(answer["sortino_ratio"])
    yield "tracking error", notes.percent(benchmark["tracking_error"])
    yield "maximum drawdown", notes.percent(answer["maximum_drawdown"])
    yield "Calmar ratio", notes.number(answer["calmar_ratio"])
    yield "information ratio", notes.number(benchmark["information_ratio"])
    for name in ("peak", "trough", "recovery"):
        yield f"drawdown {name}", Text(str(answer[f"{name}_date"] or DASH))
    for losses in answer["losses_at_risk"]:
        level = losses["level"]
        yield f"VaR {level} %", notes.percent(losses["value_at_risk"])
        yield f"expected shortfall {level} %", notes.percent(losses["expected_shortfall"])
        yield f"Gaussian VaR {level} %", notes.percent(losses["gaussian_value_at_risk"])


def _from_to(answer: Answer) -> str:
    return f"from {answer['start']} to {answer['end']}"
