"""Files of market prices, and how an adjusted series is turned back into what was quoted."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import pytest

from ingestion.lines import PassedOver
from ingestion.price_files import PriceFile
from ingestion.splits import NotASplit, Split, Splits, day_of, ratio_of, split_of, splits_of_file
from portfolio.validation import Refused

D = Decimal
APPLE = {"security_id": "AAPL", "currency": "USD"}
QUOTES = """\
Date,Open,High,Low,Close,Adj Close,Volume
2025-01-14,234.75,236.12,232.47,233.28,232.98,39435300
2025-01-15,234.64,238.96,234.43,237.87,237.57,39832000
"""
# 4:1 on 31 August 2020 and 7:1 on 9 June 2014, as a service shows it today: everything in units of the last day.
ADJUSTED = """\
Date,Open,High,Low,Close,Volume,Dividends,Stock Splits
2014-06-06 00:00:00-04:00,23.21,23.26,23.02,23.056,349938400,0.0,0.0
2014-06-09 00:00:00-04:00,23.18,23.47,22.94,23.425,301660000,0.0,7.0
2020-08-28 00:00:00-04:00,126.01,126.44,124.58,124.81,187151700,0.0,0.0
2020-08-31 00:00:00-04:00,127.58,131.00,126.00,129.04,225702700,0.0,4.0
"""


def texts(text):
    return text.splitlines(keepends=True)


def records(text, close="Close", splits=None, **defaults):
    lines = PriceFile(defaults, close, splits or Splits()).lines(texts(text))
    told = [(n, one) for n, one in lines if not isinstance(one, PassedOver)]
    return [(n, one.problems if isinstance(one, Refused) else json.loads(one)) for n, one in told]


def prices(text, **options):
    return [record["price"] for _, record in records(text, **options)]


def splits(*each, security_id="AAPL"):
    known = Splits()
    for text in each:
        known.add(security_id, split_of(text))
    return known


def test_of_daily_quotes_the_close_is_the_price():
    assert records(QUOTES, **APPLE) == [
        (2, {**APPLE, "price_date": "2025-01-14", "price": "233.28"}),
        (3, {**APPLE, "price_date": "2025-01-15", "price": "237.87"}),
    ]


def test_another_column_may_be_the_close():
    text = "Date,Close/Last,Volume\n2025-01-15,237.87,1\n"
    assert prices(text, close="close/last", **APPLE) == ["237.87"]
    with pytest.raises(Refused, match="Close: is no column of the file; there are Date, Close/Last, Volume"):
        records(text, **APPLE)


@pytest.mark.parametrize("nothing", ["", "null", "NaN", "n/a", "-"])
def test_a_day_without_a_quote_is_no_record(nothing):
    text = f"Date,Close\n2025-01-14,{nothing}\n2025-01-15,237.87\n"
    assert prices(text, **APPLE) == ["237.87"]
    assert next(PriceFile(APPLE).lines(texts(text))) == (2, PassedOver("no close"))


def test_a_price_of_nought_is_a_price():
    assert prices("Date,Close\n2025-01-14,0\n2025-01-15,0.00\n", **APPLE) == ["0", "0.00"]


def test_daily_quotes_do_not_say_whose_they_are():
    with pytest.raises(Refused, match=r"--security-id does not say it.*--currency does not say it"):
        records(QUOTES)


def test_one_price_a_line_has_the_fields_of_the_door():
    text = "security_id,price_date,price,currency\nAAPL,2025-01-15,237.87,USD\nSAP,2025-01-15,253.05,EUR\n"
    assert records(text, version="2") == [
        (2, {**APPLE, "price_date": "2025-01-15", "price": "237.87", "version": 2}),
        (3, {"security_id": "SAP", "price_date": "2025-01-15", "price": "253.05", "currency": "EUR", "version": 2}),
    ]
    assert records("price_date,price\n2025-01-15,237.87\n", **APPLE) == [
        (2, {**APPLE, "price_date": "2025-01-15", "price": "237.87"})
    ]


# --- adjusted series ----------------------------------------------------------------------------------------------


def test_an_adjusted_series_is_turned_back_to_what_was_quoted_on_each_day():
    # Before both splits x 28, from the first on x 4, from the second on as it stands: on its own day a split is done.
    known = splits_of_file(texts(ADJUSTED), security_id="AAPL")
    assert prices(ADJUSTED, splits=known, **APPLE) == ["645.568", "93.7", "499.24", "129.04"]
    assert prices(ADJUSTED, **APPLE) == ["23.056", "23.425", "124.81", "129.04"]


def test_a_consolidation_was_quoted_lower_before():
    # 1 new unit for 8 old ones on 2 August 2021: 104.40 adjusted was quoted at 13.05.
    text = "Date,Close\n2021-07-30,104.40\n2021-08-02,106.20\n"
    assert prices(text, splits=splits("2021-08-02=1:8"), **APPLE) == ["13.05", "106.2"]


def test_a_ratio_that_does_not_divide_evenly_is_kept_to_18_decimals():
    text = "Date,Close\n2021-07-30,10\n"
    assert prices(text, splits=splits("2021-08-02=1:3"), **APPLE) == ["3.333333333333333333"]


def test_each_security_of_a_file_has_its_own_splits():
    text = "security_id,price_date,price,currency\nA,2020-01-02,10,USD\nB,2020-01-02,10,USD\nC,2020-01-02,10,USD\n"
    listed = "security_id,split_date,ratio_new,ratio_old\nA,2020-06-01,2,1\nB,2020-06-01,3,2\n"
    known = splits_of_file(texts(listed), security_id=None)
    assert prices(text, splits=known) == ["20", "15", "10"]


def test_a_number_that_is_no_price_is_left_for_validation_to_name():
    text = "Date,Close\n2021-07-30,1_0\n2021-07-30,-3\n2021-07-30,1e99999\n"
    known = splits("2021-08-02=2:1")
    assert prices(text, splits=known, **APPLE) == ["1_0", "-3", "1e99999"]


def test_a_cell_that_spells_no_date_or_no_number_is_named_by_its_column():
    refused = records("Date,Close\n30/07/2021,ten\n2021-02-30,10\n", **APPLE)
    assert [(number, [(p.field, p.detail) for p in problems]) for number, problems in refused] == [
        (2, [("Date", "'30/07/2021' is no date of the form YYYY-MM-DD"), ("Close", "'ten' is no number")]),
        (3, [("Date", "'2021-02-30' is no date of the form YYYY-MM-DD")]),
    ]


def test_one_split_told_twice_is_one_split():
    text = "Date,Close\n2021-07-30,10\n"
    assert prices(text, splits=splits("2021-08-02=2:1", "2021-08-02=2:1"), **APPLE) == ["20"]


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("4:1", (4, 1)),
        ("4/1", (4, 1)),
        ("4.0", (4, 1)),
        ("0.25", (D("0.25"), 1)),
        ("3:2", (3, 2)),
        ("0.0", None),
        ("", None),
    ],
)
def test_a_ratio_is_written_in_many_ways(text, ratio):
    assert ratio_of(text) == ratio


@pytest.mark.parametrize("text", [":1", "4:0", "0:1", "-4", "four", "4:1:1", "nan", "inf"])
def test_what_is_no_ratio_says_how_one_is_written(text):
    with pytest.raises(NotASplit, match="new:old"):
        ratio_of(text)


def test_a_split_is_a_day_and_a_ratio():
    assert split_of("2020-08-31=4:1") == Split(datetime.date(2020, 8, 31), D(4), D(1))
    for text in ("2020-08-31", "2020-08-31=0", "=4:1", "31.8.2020=4:1"):
        with pytest.raises(NotASplit):
            split_of(text)
    assert day_of("2020-08-31 00:00:00-04:00") == datetime.date(2020, 8, 31)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Date,Close\n2020-01-02,1\n", "names no splits"),
        ("Date,Stock Splits\n2020-01-02,four\n", "line 2: 'four' is no ratio"),
        ("Date,Stock Splits\nsoon,4\n", "line 2: 'soon' is no date"),
        ("Date,Stock Splits\n2020-01-02,4,1\n", "line 2 has 3 cells"),
    ],
)
def test_splits_that_cannot_be_read_are_refused_as_a_whole(text, said):
    # One split overlooked, and every price before it would be wrong.
    with pytest.raises(Refused, match=said):
        splits_of_file(texts(text), security_id="AAPL")


def test_splits_of_nobody_are_refused():
    with pytest.raises(Refused, match="which security"):
        splits_of_file(texts("Date,Stock Splits\n2020-01-02,4\n"), security_id=None)
