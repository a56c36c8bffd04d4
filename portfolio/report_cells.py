"""What the tables of a report are made of: figures as cells, and the numbered notes that say why some are none.

Figures are rounded here, for the eye, and nowhere before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from portfolio.money import CONTEXT

NOTE_DIGITS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
DASH = "–"

DOUBTS = {
    "FROM_TRADE": "the price is that of the last own trade",
    "STALE": "the price is of more than 5 trading days before",
    "STALE_FX_RATE": "an exchange rate used was more than 7 days old",
    "CONVERTED": "a price or an amount was converted from another currency than the holding's own",
    "LOTS_NOT_NAMED": "lots that a sale did not name were taken first in, first out",
    "PROVISIONAL": "attributes of the instrument or the portfolio have not arrived: defaults were taken",
}
"""What the marks of a holding mean."""


@dataclass(slots=True)
class Notes:
    """Why there are no figures, or doubtful ones: each reason once, by its number."""

    reasons: dict[tuple[str, str], int] = field(default_factory=dict)

    def number(self, figure: Any) -> Text:
        """A figure with thousands and two decimals."""
        return self._cell(figure, lambda number: f"{rounded(number, 2):,f}")

    def quantity(self, figure: Any) -> Text:
        """A figure with thousands and up to eight decimals, as many as it has."""
        return self._cell(figure, lambda number: f"{rounded(number, 8):,f}".rstrip("0").rstrip("."))

    def percent(self, figure: Any) -> Text:
        """A fraction in percent."""
        return self._cell(figure, lambda number: f"{rounded(number.scaleb(2), 2):,f} %")

    def marked(self, cell: Text, codes: Iterable[str]) -> Text:
        """The cell with the numbers of what is doubtful in it."""
        return cell + Text("".join(_mark(self._number(code, DOUBTS[code])) for code in codes), style="yellow")

    def listed(self) -> list[RenderableType]:
        """The reasons, by number."""
        return [
            Text(f"{_mark(number)} {code}: {detail}", style="dim") for (code, detail), number in self.reasons.items()
        ]

    def _cell(self, figure: Any, spelled: Any) -> Text:
        if isinstance(figure, Mapping):
            return Text(DASH + _mark(self._number(figure["unavailable"], figure["detail"])), style="dim")
        value = Decimal(figure)
        return Text(spelled(value), style="red" if value < 0 else "")

    def _number(self, code: str, detail: str) -> int:
        return self.reasons.setdefault((code, detail), len(self.reasons) + 1)


def _mark(number: int) -> str:
    return str(number).translate(NOTE_DIGITS)


def rounded(number: Decimal, decimals: int) -> Decimal:
    """To the eye's decimals; what is rounded to nothing has no sign."""
    return number.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN, CONTEXT) + 0


STYLE: dict[str, Any] = {
    "title_justify": "left",
    "title_style": "bold",
    "caption_justify": "left",
    "box": box.SIMPLE,
    "padding": (0, 1, 0, 0),
    "pad_edge": False,
}


def table_of(title: str, first: str, *others: str) -> Table:
    """A table whose first column names things and whose others are numbers."""
    table = Table(title=title, **STYLE)
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right", overflow="fold")
    return table
