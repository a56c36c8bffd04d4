"""Files of exchange rates, as the ECB writes them and as the door would."""

from __future__ import annotations

import json

import pytest

from ingestion.formats import Unreadable
from ingestion.rate_files import rate_lines
from portfolio.validation import Refused

HISTORY = """\
Date,USD,JPY,CYP,
2025-01-15,1.0300,161.96,N/A,
2007-12-28,1.4692,,0.585274,
"""


def records(text, **defaults):
    """Each record with its line, refused ones as their problems."""
    lines = rate_lines(text.splitlines(keepends=True), defaults=defaults)
    return [(n, one.problems if isinstance(one, Refused) else json.loads(one)) for n, one in lines]


def told(refused):
    number, problems = refused
    return number, [(problem.field, problem.detail) for problem in problems]


def rate(currency, day, number, **fields):
    return {"from_currency": "EUR", "to_currency": currency, "rate_date": day, "rate": number, **fields}


def test_the_ecbs_history_is_what_a_euro_was_worth_each_day_where_it_was_quoted():
    assert records(HISTORY) == [
        (2, rate("USD", "2025-01-15", "1.0300")),
        (2, rate("JPY", "2025-01-15", "161.96")),
        (3, rate("USD", "2007-12-28", "1.4692")),
        (3, rate("CYP", "2007-12-28", "0.585274")),
    ]


def test_the_ecbs_file_of_one_day_writes_its_date_in_words_and_spaces_everywhere():
    assert records("Date, USD, JPY, \n02 May 2025, 1.1343, 164.24, \n") == [
        (2, rate("USD", "2025-05-02", "1.1343")),
        (2, rate("JPY", "2025-05-02", "164.24")),
    ]


def test_one_rate_a_line_has_the_fields_of_the_door_and_may_name_its_version():
    text = "from_currency,to_currency,rate_date,rate,version\nUSD,CHF,2025-01-15,0.91,3\nUSD,CHF,2025-01-16,0.92,\n"
    usd = {"from_currency": "USD", "to_currency": "CHF"}
    assert records(text, version="2") == [
        (2, {**usd, "rate_date": "2025-01-15", "rate": "0.91", "version": 3}),
        (3, {**usd, "rate_date": "2025-01-16", "rate": "0.92", "version": 2}),
    ]


def test_a_version_for_the_whole_file_is_every_rates():
    assert {record["version"] for _, record in records(HISTORY, version="2")} == {2}


def test_a_cell_that_spells_nothing_is_named_by_its_column_and_a_torn_line_stands_alone():
    torn, no_day, no_number, beside = records("Date,USD,JPY\n2025-01-15,1,2,3\n15.01.2025,1,2\n2025-01-15,one,161.96\n")
    assert (torn[0], torn[1][0].code) == (2, "cells")
    assert told(no_day) == (3, [("Date", "'15.01.2025' is no date of the form YYYY-MM-DD")])
    assert told(no_number) == (4, [("USD", "'one' is no number")])
    assert beside == (4, rate("JPY", "2025-01-15", "161.96"))


@pytest.mark.parametrize("text", ["", "\n", ",,\n1,2,3\n"])
def test_a_file_without_a_header_is_refused(text):
    with pytest.raises(Refused, match="no header"):
        records(text)


def test_a_header_of_another_table_is_refused_by_its_columns():
    with pytest.raises(Refused, match="pair: is not a field; the fields are from_currency"):
        records("pair,rate_date,rate\nEURUSD,2025-01-15,1.03\n")


def test_what_is_no_csv_says_on_which_line():
    with pytest.raises(Unreadable, match="Line 3"):
        records('Date,USD\n2025-01-15,1.03\n2025-01-16,"1.0"4\n')
