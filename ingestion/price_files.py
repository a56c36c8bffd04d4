"""From files of market prices to records: a security's daily quotes, or one price a line; no framework.

Daily quotes are what data services hand out, a security a file: `Date,Open,High,Low,Close,Adj Close,Volume`, in any
order and with more columns; the close is the price, whatever it is called. The other shape has the door's own fields
for a header.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ingestion.lines import Cells, Line, PassedOver, Rows, field_lines, header_and_rows, spelling_problems
from ingestion.splits import Splits
from portfolio.streaming.messages import SubmittedPrice
from portfolio.texts import record_from_texts
from portfolio.validation import FieldProblem, Refused

NOT_QUOTED = ("", "null", "nan", "n/a", "-")
NO_CLOSE = PassedOver("no close")
DAY_CHARS = len("YYYY-MM-DD")


@dataclass(frozen=True, slots=True)
class PriceFile:
    """What a file does not say of itself.

    `defaults` are cells by field (security_id, currency, version); `close` is the column with the price, of daily
    quotes; the prices are adjusted for `splits`, and are turned back to those of their day.
    """

    defaults: Mapping[str, str]
    close: str = "Close"
    splits: Splits = field(default_factory=Splits)

    def lines(self, texts: Iterable[str]) -> Iterator[Line]:
        """The prices of a file, of whichever shape. Raises formats.Unreadable, Refused."""
        header, rows = header_and_rows(texts)
        if "date" in (name.lower() for name in header):
            return self._daily_quotes(header, rows)
        return field_lines(header, rows, SubmittedPrice, defaults=self.defaults, change=self._as_quoted)

    def _daily_quotes(self, header: Sequence[str], rows: Rows) -> Iterator[Line]:
        names = [name.lower() for name in header]
        problems = [
            FieldProblem(name, "required", f"is not in the file, and --{name.replace('_', '-')} does not say it")
            for name in ("security_id", "currency")
            if name not in self.defaults
        ]
        if self.close.lower() not in names:
            there = ", ".join(filter(None, header))
            problems.append(FieldProblem(self.close, "required", f"is no column of the file; there are {there}"))
        if problems:
            raise Refused(problems)
        day, close = names.index("date"), names.index(self.close.lower())
        for number, row in rows:
            if isinstance(row, Refused):
                yield number, row
                continue
            price = row[close].strip()
            if price.lower() in NOT_QUOTED:
                yield number, NO_CLOSE
                continue
            # Some write a time beside the date, midnight in the exchange's own zone.
            quote = {"price_date": row[day].strip()[:DAY_CHARS], "price": price}
            cells = (header[day], quote["price_date"], "date"), (header[close], price, "number")
            if problems := spelling_problems(cells):
                yield number, Refused(problems)
            else:
                yield number, record_from_texts(SubmittedPrice, self._as_quoted({**self.defaults, **quote}))

    def _as_quoted(self, cells: Cells) -> Cells:
        if not self.splits or "price" not in cells:
            return cells
        of = cells.get("security_id", ""), cells.get("price_date", ""), cells["price"]
        return {**cells, "price": self.splits.cell_as_quoted(*of)}
