"""The report on the terminal: what it says, how wide it is, and what stands where there is no figure."""

from __future__ import annotations

from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from rich.cells import cell_len

from portfolio.reports import REPORT_WIDTH
from tests import pipeline
from tests.functional.test_analysis_api import deposit, instrument, price, rate, settings, traded
from tests.pipeline import NOW, transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held():
    """1,000,000 USD, of which 10 AAA were bought at 1,234.5675 and stand at 1,300; a dividend of 12.344."""
    pipeline.record_reference(
        settings(),
        instrument("AAA"),
        price("AAA", "2025-01-02", "1234.5675"),
        price("AAA", "2025-01-31", 1300),
        rate("2025-01-01", "1.25"),
    )
    pipeline.record(
        deposit("2025-01-02", 1_000_000),
        traded("BUY", "2025-01-02", "AAA", 10, "1234.5675"),
        transaction(
            "DIVIDEND", transaction_date="2025-01-20", security_id="AAA", gross_transaction_amount=Decimal("12.344")
        ),
        submitted_by="owner",
    )
    pipeline.calculate("P1")
    pipeline.value("P1")


def run(*arguments):
    out = StringIO()
    call_command("report", *arguments, stdout=out)
    return out.getvalue()


def lines(text, beginning):
    return [" ".join(line.split()) for line in text.splitlines() if line.strip().startswith(beginning)]


def test_positions_statement_returns_and_risk_are_told_to_the_cent(held):
    text = run("P1", "--as-of", "2025-01-31")

    # 10 x 1,234.5675 = 12,345.675, half-even to the cent 12,345.68; 13,000 - 12,345.675 = 654.325, to 654.32.
    assert lines(text, "AAA")[0] == "AAA 10 1,300.00 USD 12,345.68 13,000.00 654.32 0.00 1.30 %"
    # 1,000,000 - 12,345.675 + 12.344
    assert lines(text, "cash USD")[0] == "cash USD 987,666.67 987,666.67 987,666.67 0.00 0.00"
    assert lines(text, "portfolio") == ["portfolio 0.00 1,000,000.00 0.00 654.32 0.00 1,000,666.67"]
    assert lines(text, "income") == ["income 12.34 · fees 0.00 · taxes 0.00 · residual 0.00"]
    assert lines(text, "ITD")[0].startswith("ITD 2025-01-01 0.07 %")
    assert lines(text, "Risk") == ["Risk from 2025-01-01 to 2025-01-31, 22 daily returns, Monday to Friday"]


def test_what_has_no_figure_is_a_dash_and_the_reason_stands_below_once(held):
    text = run("P1", "--as-of", "2025-01-31")

    assert lines(text, "MTD") == ["MTD 2024-12-31 0.07 % –¹ 0.07 % 0.84 % 0.07 % –²"]
    assert lines(text, "¹") == ["¹ PERIOD_TOO_SHORT: the period is too short for an annual figure"]
    assert lines(text, "²") == ["² NO_BENCHMARK: there is no benchmark, or it has no figures for the period"]


def test_no_line_is_wider_than_a_hundred_columns_and_no_digit_is_lost(held):
    pipeline.record(
        deposit("2025-01-03", "123456789012345678.123456"),
        traded("BUY", "2025-01-03", "A" * 64, "123456789012.123456", "987654.321"),
        submitted_by="owner",
    )
    pipeline.calculate("P1")
    text = run("P1", "--as-of", "2025-01-31")

    assert max(map(cell_len, text.splitlines())) <= REPORT_WIDTH
    assert "…" not in text
    assert text.count("A" * 8) >= 8


def test_a_period_of_its_own_stands_beside_the_standard_ones(held):
    text = run("P1", "--start", "2025-01-02", "--end", "2025-03-31")

    assert lines(text, "asked")[0].startswith("asked 2025-01-02 0.07 %")
    assert lines(text, "portfolio") == ["portfolio 1,000,000.00 0.00 0.00 654.32 0.00 1,000,666.67"]
    assert lines(text, "Positions") == ["Positions at the end of 2025-03-31"]


def test_positions_of_a_day_and_a_period_that_ends_on_another(held):
    text = run("P1", "--as-of", "2025-01-02", "--period", "YTD", "--end", "2025-01-31", "--cost-method", "AVCO")

    assert lines(text, "P1") == ["P1, in USD, AVCO"]
    assert lines(text, "AAA")[0].split()[4:6] == ["12,345.68", "12,345.68"]
    assert lines(text, "Statement") == ["Statement from 2024-12-31 to 2025-01-31"]


def test_what_is_pending_is_said(held):
    pipeline.record(deposit("2025-01-03", 1), submitted_by="owner", now=NOW)

    assert lines(run("P1"), "Calculations") == [
        f"Calculations are pending since {NOW:%Y-%m-%d %H:%M} UTC: figures may change."
    ]


@pytest.fixture
def doubtful(held):
    """BBB is known by its purchase of the 6th alone, SAP by a quote of the 10th in EUR, whose rate is of the 1st; of the
    10 AAA 15 were to be sold.
    """
    pipeline.record_reference(instrument("BBB"), instrument("SAP", "EUR"), price("SAP", "2025-01-10", 50, "EUR"))
    pipeline.record(
        traded("BUY", "2025-01-06", "BBB", 10, 40),
        traded("BUY", "2025-01-07", "SAP", 4, 50, currency="EUR"),
        traded("SELL", "2025-01-20", "AAA", 15, 1250, transaction_id="S-7"),
        submitted_by="owner",
    )
    pipeline.calculate("P1")
    pipeline.value("P1")


def test_a_doubtful_price_has_its_day_and_the_number_of_its_reason(doubtful):
    text = run("P1", "--as-of", "2025-01-31")
    rows = [" ".join(line.split()) for line in text.splitlines()]

    # 22 trading days lie between the 1st and the 31st: both prices are stale, and that of BBB is of the own purchase.
    of_bbb, of_sap = (rows.index(next(row for row in rows if row.startswith(name))) for name in ("BBB", "SAP"))
    assert rows[of_bbb].startswith("BBB 10 40.00 USD¹² 400.00 400.00")
    assert rows[of_bbb + 1] == "2025-01-06"
    # 4 x 50 EUR x 1.25
    assert rows[of_sap].startswith("SAP³ 4 50.00 EUR² 250.00 250.00")
    assert rows[of_sap + 1] == "2025-01-10"
    assert lines(text, "AAA")[0].startswith("AAA 10 1,300.00 USD 12,345.68")
    assert lines(text, "¹") == ["¹ FROM_TRADE: the price is that of the last own trade"]
    assert lines(text, "²") == ["² STALE: the price is of more than 5 trading days before"]
    assert lines(text, "³") == ["³ STALE_FX_RATE: an exchange rate used was more than 7 days old"]
    assert "prices: 2 of the market, 1 of own trades, 2 of these stale, the oldest of 2025-01-06" in " ".join(rows)
    assert "EUR at 1.25 of 2025-01-01" in " ".join(rows)


def test_what_was_not_booked_is_listed_with_its_money(doubtful):
    text = run("P1", "--as-of", "2025-01-31")

    # 15 x 1,250
    assert lines(text, "S-7") == ["S-7 AAA OVERSOLD 5 18,750.00 USD 15 sold, 10 held"]
    assert "Not booked as asked" not in run("P1", "--as-of", "2025-01-19")


def test_the_returns_say_on_which_days_their_values_are_doubtful(doubtful):
    text = run("P1", "--as-of", "2025-01-31")

    # From the purchase on the 6th to the 31st; the rate of the 1st is too old from the 9th on.
    assert lines(text, "FROM_TRADE on") == ["FROM_TRADE on 26 days from 2025-01-06 to 2025-01-31"]
    assert lines(text, "STALE_FX_RATE on") == ["STALE_FX_RATE on 23 days from 2025-01-09 to 2025-01-31"]


def test_on_a_terminal_of_eighty_columns_nothing_is_wider_nor_broken(doubtful, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = run("P1", "--as-of", "2025-01-31")

    assert max(map(cell_len, text.splitlines())) <= 80
    # The cost is left out there, being the value less what is unrealized, and the currency stands below the price.
    assert lines(text, "AAA")[0] == "AAA 10 1,300.00 13,000.00 654.32 0.00 1.30 %"
    assert lines(text, "cash USD")[0].startswith("cash USD 987,266.67 987,266.67")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["P9"], "no portfolio 'P9'"),
        (["P1", "--start", "soon"], "start "),
        (["P1", "--start", "2025-03-01", "--end", "2025-02-01"], "start is after the end"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_a_sentence(held, arguments, why):
    with pytest.raises(CommandError, match=why):
        run(*arguments)
