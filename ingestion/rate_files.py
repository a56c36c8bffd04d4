"""From files of exchange rates to records: the ECB's reference rates, or one rate a line; no framework.

The ECB publishes what one euro is worth, a day a line and a currency a column: `Date,USD,JPY,..`, with N/A where a
currency was not quoted. The other shape has the door's own fields for a header.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ingestion.lines import RecordLine, Rows, field_lines, header_and_rows, spelling_problems
from portfolio.streaming.messages import SubmittedRate
from portfolio.texts import record_from_texts
from portfolio.validation import Refused

NOT_QUOTED = ("", "N/A", "-")


def rate_lines(texts: Iterable[str], *, defaults: Mapping[str, str]) -> Iterator[RecordLine]:
    """The rates of a file, of whichever shape. Raises formats.Unreadable, Refused."""
    header, rows = header_and_rows(texts)
    if header[0].lower() == "date":
        return _reference_rates(header, rows, defaults)
    return field_lines(header, rows, SubmittedRate, defaults=defaults)


def _reference_rates(header: Sequence[str], rows: Rows, defaults: Mapping[str, str]) -> Iterator[RecordLine]:
    # The ECB ends every line with a comma: its last column has no name.
    columns = [(column, currency) for column, currency in enumerate(header) if column and currency]
    for number, row in rows:
        if isinstance(row, Refused):
            yield number, row
            continue
        rate_date = _day(row[0].strip())
        if problems := spelling_problems([(header[0], rate_date, "date")]):
            yield number, Refused(problems)
            continue
        for column, currency in columns:
            rate = row[column].strip()
            if rate in NOT_QUOTED:
                continue
            if problems := spelling_problems([(currency, rate, "number")]):
                yield number, Refused(problems)
            else:
                cells = {"from_currency": "EUR", "to_currency": currency, "rate_date": rate_date, "rate": rate}
                yield number, record_from_texts(SubmittedRate, {**defaults, **cells})


def _day(text: str) -> str:
    """The file of a single day writes its date in words (2 May 2025); what is no date stays as it is."""
    try:
        return datetime.datetime.strptime(text, "%d %B %Y").date().isoformat()  # noqa: DTZ007 - a date, of no zone
    except ValueError:
        return text
