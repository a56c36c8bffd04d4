"""A portfolio on a terminal: its positions, statement, returns and risk, from the answers that the API gives of them.

Figures are rounded here, for the eye, and nowhere before. What there is no figure for is a dash with a number, and the
reasons stand below under these numbers. Everything fits in REPORT_WIDTH columns; a figure that is wider is broken over
two lines, never cut off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from portfolio.money import CONTEXT

REPORT_WIDTH = 100
NOTE_DIGITS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
DASH = "–"

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported, each part as the API answers it."""

    positions: Answer
    statement: Answer
    performance: Answer
    risk: Answer


def print_report(report: Report, console: Console) -> None:
    """Print it; the console should be as wide as it is laid out for."""
    console.print(_laid_out(report), width=REPORT_WIDTH)


def _laid_out(report: Report) -> Group:
    notes = _Notes()
    positions, statement = report.positions, report.statement
    head = f"{positions['portfolio_id']}, in {positions['base_currency']}, {positions['cost_method']}"
    parts: list[RenderableType] = [
        Text(head, style="bold"),
        *([Text("Calculations are pending: figures may change.", style="yellow")] if positions["pending"] else []),
        _positions(positions, notes),
        _statement(statement, notes),
        _returns(report.performance, notes),
        _risk(report.risk, notes),
        *notes.listed(),
    ]
    return Group(*parts)


# --- the parts ----------------------------------------------------------------------------------------------------


def _positions(answer: Answer, notes: _Notes) -> Table:
    table = _table(f"Positions at the end of {answer['as_of']}", "holding", "quantity", "price", *_VALUED, "weight")
    for one in answer["positions"]:
        quantity = notes.quantity(one["quantity"])
        figures = [notes.number(one[f"{name}_base"]) for name in _POSITION]
        price = notes.number(one["price"]) + Text(f" {one['currency']}")
        table.add_row(one["security_id"], quantity, price, *figures, notes.percent(one["weight"]))
    for one in answer["cash"]:
        figures = [notes.number(one[name]) for name in _CASH]
        table.add_row(f"cash {one['currency']}", notes.number(one["balance"]), "", *figures, "")
    table.add_section()
    totals = [notes.number(answer["totals"][name]) for name in _TOTALS]
    table.add_row("total", "", "", *totals, "", style="bold")
    return table


_VALUED = ("cost", "value", "unrealized", "realized")
_POSITION = ("cost_basis", "market_value", "unrealized_gain", "realized_gain")
_CASH = ("cost_base", "balance_base", "unrealized_fx_gain_base", "realized_fx_gain_base")
_TOTALS = ("cost_basis", "value", "unrealized_gain", "realized_gain")


def _statement(answer: Answer, notes: _Notes) -> Table:
    """The rows of the holdings; below them what belongs to none of them, and the portfolio's own line."""
    headings = ("holding", "opening", "in", "out", "price gain", "FX gain", "closing")
    table = _table(f"Statement {_from_to(answer)}", *headings)
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


def _returns(answer: Answer, notes: _Notes) -> Table:
    headings = ("from", "time-weighted", "a year", "money-weighted", "a year", "Dietz", "benchmark")
    table = _table(f"Returns up to {answer['end']}", "period", *headings)
    asked = {} if answer.get("period") in answer["periods"] else {"asked": answer}
    for name, of in {**asked, **answer["periods"]}.items():
        table.add_row(name, str(of["start"]), *(notes.percent(of[measure]) for measure in _MEASURES))
    return table


_MEASURES = (
    "time_weighted_return",
    "time_weighted_return_annualized",
    "money_weighted_return",
    "money_weighted_return_annualized",
    "modified_dietz",
    "benchmark_return",
)


def _risk(answer: Answer, notes: _Notes) -> Table:
    """Pairs of a name and a figure, three beside one another."""
    returns = f"{answer['returns_count']} daily returns, Monday to Friday"
    table = Table(title=f"Risk {_from_to(answer)}, {returns}", **_STYLE)
    pairs = list(_risk_pairs(answer, notes))
    for _ in range(_PAIRS_A_LINE):
        table.add_column(overflow="fold")
        table.add_column(justify="right", overflow="fold")
    for start in range(0, len(pairs), _PAIRS_A_LINE):
        table.add_row(*(cell for pair in pairs[start : start + _PAIRS_A_LINE] for cell in pair))
    table.show_header = False
    return table


_PAIRS_A_LINE = 3


def _risk_pairs(answer: Answer, notes: _Notes) -> Iterable[tuple[str, Text]]:
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


# --- cells --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Notes:
    """Why there are no figures: each reason once, by its number."""

    reasons: dict[tuple[str, str], int] = field(default_factory=dict)

    def number(self, figure: Any) -> Text:
        """A figure with thousands and two decimals."""
        return self._cell(figure, lambda number: f"{_rounded(number, 2):,f}")

    def quantity(self, figure: Any) -> Text:
        """A figure with thousands and up to eight decimals, as many as it has."""
        return self._cell(figure, lambda number: f"{_rounded(number, 8):,f}".rstrip("0").rstrip("."))

    def percent(self, figure: Any) -> Text:
        """A fraction in percent."""
        return self._cell(figure, lambda number: f"{_rounded(number.scaleb(2), 2):,f} %")

    def listed(self) -> list[RenderableType]:
        """The reasons, by number."""
        return [
            Text(f"{_mark(number)} {code}: {detail}", style="dim") for (code, detail), number in self.reasons.items()
        ]

    def _cell(self, figure: Any, spelled: Any) -> Text:
        if isinstance(figure, Mapping):
            reason = (figure["unavailable"], figure["detail"])
            number = self.reasons.setdefault(reason, len(self.reasons) + 1)
            return Text(DASH + _mark(number), style="dim")
        value = Decimal(figure)
        return Text(spelled(value), style="red" if value < 0 else "")


def _mark(number: int) -> str:
    return str(number).translate(NOTE_DIGITS)


def _rounded(number: Decimal, decimals: int) -> Decimal:
    """To the eye's decimals; what is rounded to nothing has no sign."""
    return number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN, CONTEXT) + 0


_STYLE: dict[str, Any] = {
    "title_justify": "left",
    "title_style": "bold",
    "caption_justify": "left",
    "box": box.SIMPLE,
    "padding": (0, 1, 0, 0),
    "pad_edge": False,
}


def _table(title: str, first: str, *others: str) -> Table:
    """A table whose first column names things and whose others are numbers."""
    table = Table(title=title, **_STYLE)
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right", overflow="fold")
    return table


def _from_to(answer: Answer) -> str:
    return f"from {answer['start']} to {answer['end']}"
