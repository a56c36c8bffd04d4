"""Risk, allocation, contribution and attribution over REST, on the real database, with figures worked out by hand."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from portfolio.money import exact
from portfolio.streaming.messages import (
    RawBenchmarkWeight,
    RawInstrument,
    RawPortfolio,
    RawPrice,
    RawRate,
    SubmittedBenchmarkWeight,
    SubmittedInstrument,
    SubmittedPortfolio,
    SubmittedPrice,
    SubmittedRate,
)
from tests import pipeline
from tests.pipeline import NOW, day, transaction

pytestmark = pytest.mark.django_db(transaction=True)

D = Decimal
HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def client() -> APIClient:
    client = APIClient()
    client.force_authenticate(User.objects.create_user("owner"))
    return client


def ask(client, path, **query):
    answer = client.get(f"/api/v1/portfolios/P1/{path}/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def settings(**attributes):
    attributes = {"base_currency": "USD", **attributes}
    return RawPortfolio(portfolio=SubmittedPortfolio(portfolio_id="P1", **attributes), submitted_by="owner")


def instrument(security_id, currency="USD", **attributes):
    return RawInstrument(instrument=SubmittedInstrument(security_id=security_id, currency=currency, **attributes))


def price(security_id, on, amount, currency="USD", **more):
    return RawPrice(
        market_price=SubmittedPrice(
            security_id=security_id, price_date=day(on), price=D(str(amount)), currency=currency, **more
        )
    )


def rate(on, amount):
    return RawRate(
        fx_rate=SubmittedRate(from_currency="EUR", to_currency="USD", rate_date=day(on), rate=D(str(amount)))
    )


def deposit(on, amount, currency="USD"):
    return transaction("DEPOSIT", transaction_date=on, gross_transaction_amount=D(str(amount)), currency=currency)


def traded(kind, on, security_id, quantity, amount, **more):
    return transaction(
        kind, transaction_date=on, security_id=security_id, quantity=D(quantity), price=D(str(amount)), **more
    )


def calculated(*transactions):
    pipeline.record(*transactions, submitted_by="owner")
    pipeline.calculate("P1")
    pipeline.value("P1")


@pytest.fixture
def held(client):
    """At the end of 31 January 2025: AAA 600 USD (technology), BBB 5 EUR x 40 at 1.2 = 240 USD (nothing told of it),
    CCC -160 USD (energy), 300 USD and 50 EUR (60 USD) in cash.
    """
    pipeline.record_reference(
        settings(allow_short=True),
        instrument("AAA", asset_class="Equity", sector="Technology", country="US", issuer="A"),
        instrument("BBB", "EUR"),
        instrument("CCC", asset_class="Equity", sector="Energy", country="US"),
        rate("2025-01-01", "1.2"),
    )
    calculated(
        deposit("2025-01-02", 600),
        deposit("2025-01-02", 250, "EUR"),
        traded("BUY", "2025-01-03", "AAA", 10, 40),
        traded("BUY", "2025-01-03", "BBB", 5, 40, currency="EUR"),
        traded("SELL", "2025-01-03", "CCC", 5, 20),
    )
    pipeline.record_reference(price("AAA", "2025-01-31", 60), price("CCC", "2025-01-31", 32), rate("2025-01-31", "1.2"))
    pipeline.value("P1")


# --- allocation ---------------------------------------------------------------------------------------------------


def weights(answer):
    name = "segment" if answer["by"] != "holding" else None
    return {
        one[name] if name else one.get("security_id") or one["currency"]: (one["weight"], one["short_weight"])
        for one in answer["shares"]
    }


# Gross assets: 600 + 240 + 300 + 60 = 1,200. Of cash 300 + 60 = 360.
BY = {
    "asset_class": {"Equity": ("0.5", "-0.133333333333333333"), "cash": ("0.3", "0"), "unknown": ("0.2", "0")},
    "sector": {
        "Technology": ("0.5", "0"),
        "cash": ("0.3", "0"),
        "unknown": ("0.2", "0"),
        "Energy": ("0", "-0.133333333333333333"),
    },
    "country": {"US": ("0.5", "-0.133333333333333333"), "cash": ("0.3", "0"), "unknown": ("0.2", "0")},
    "issuer": {"A": ("0.5", "0"), "cash": ("0.3", "0"), "unknown": ("0.2", "-0.133333333333333333")},
    # In EUR there are 240 and 60 in cash.
    "currency": {"USD": ("0.75", "-0.133333333333333333"), "EUR": ("0.25", "0")},
    "holding": {
        "AAA": ("0.5", "0"),
        "USD": ("0.25", "0"),
        "BBB": ("0.2", "0"),
        "EUR": ("0.05", "0"),
        "CCC": ("0", "-0.133333333333333333"),
    },
}


@pytest.mark.parametrize("by", BY)
def test_weights_are_parts_of_gross_assets_with_shorts_apart(client, held, by):
    answer = ask(client, "allocation", by=by, as_of="2025-01-31")

    assert (answer["gross_assets"], answer["by"], answer["as_of"]) == ("1200", by, "2025-01-31")
    assert weights(answer) == BY[by]
    assert answer["pending"] is None


def test_a_day_before_is_divided_as_it_was(client, held):
    # On the 2nd there were 600 USD and 250 EUR, 300 USD.
    answer = ask(client, "allocation", by="currency", as_of="2025-01-02")

    assert [(one["segment"], one["long"], one["weight"]) for one in answer["shares"]] == [
        ("USD", "600", "0.666666666666666667"),
        ("EUR", "300", "0.333333333333333333"),
    ]


def test_concentration_counts_each_holding_and_each_currencys_cash(client, held):
    answer = ask(client, "concentration", as_of="2025-01-31")

    # 0.5^2 + 0.25^2 + 0.2^2 + 0.05^2 = 0.25 + 0.0625 + 0.04 + 0.0025
    assert answer["herfindahl_index"] == "0.355"
    assert (answer["holdings_count"], answer["top_5"], answer["top_10"]) == (4, "1", "1")
    assert answer["largest"][:2] == [{"security_id": "AAA", "weight": "0.5"}, {"currency": "USD", "weight": "0.25"}]


def test_a_missing_price_leaves_no_weight_and_keeps_what_is_known(client):
    pipeline.record_reference(settings(), instrument("AAA", sector="Technology"), instrument("BBB"))
    calculated(
        traded("BUY", "2025-01-02", "AAA", 1, 40),
        transaction("TRANSFER_IN", transaction_date="2025-01-03", security_id="BBB", quantity=D(1)),
    )
    answer = ask(client, "allocation", by="sector")
    concentration = ask(client, "concentration")

    missing = {"unavailable": "MISSING_PRICE", "detail": answer["gross_assets"]["detail"]}
    assert answer["gross_assets"] == missing
    assert {one["segment"]: (one["long"], one["weight"]) for one in answer["shares"]} == {
        "Technology": ("40", missing),
        "cash": ("0", missing),
        "unknown": (missing, missing),
    }
    assert concentration["herfindahl_index"] == missing


def test_an_empty_portfolio_has_nothing_to_divide(client):
    pipeline.record_reference(settings())

    assert ask(client, "allocation")["shares"] == []
    assert ask(client, "concentration")["herfindahl_index"]["unavailable"] == "NO_CAPITAL"
    assert ask(client, "contribution")["contributions"] == []
    assert ask(client, "risk")["volatility"]["unavailable"] == "TOO_FEW_RETURNS"


# --- contribution -------------------------------------------------------------------------------------------------


@pytest.fixture
def gained(client):
    """1,000 paid in on the 1st and put into 5 AAA at 100 and 5 BBB at 100. On the 2nd AAA stands at 120 and BBB as
    before; on the 3rd BBB at 80, of AAA 1 was sold at 125, and it pays 6.
    """
    pipeline.record_reference(
        settings(benchmark_security_id="INDEX"),
        instrument("AAA", asset_class="Equity"),
        instrument("BBB", asset_class="Bond"),
        price("AAA", "2025-01-01", 100),
        price("BBB", "2025-01-01", 100),
        price("AAA", "2025-01-02", 120),
        price("AAA", "2025-01-03", 125),
        price("BBB", "2025-01-03", 80),
    )
    calculated(
        deposit("2025-01-01", 1000),
        traded("BUY", "2025-01-01", "AAA", 5, 100),
        traded("BUY", "2025-01-01", "BBB", 5, 100),
        traded("SELL", "2025-01-03", "AAA", 1, 125),
        transaction("DIVIDEND", transaction_date="2025-01-03", security_id="AAA", gross_transaction_amount=D(6)),
    )


DAYS = {"start": "2025-01-01", "end": "2025-01-03"}


def test_contributions_are_linked_by_carino_and_add_up_to_the_return(client, gained):
    # The 2nd: AAA +100 of 1,000: 10 %. The 3rd: AAA +25 and 6 of dividend, BBB -100: -69 of 1,100, -6.2727 %.
    # 1.1 x (1 - 69/1100) - 1 = 3.1 %; k = ln(1.031)/0.031 = 0.984812, k1 = ln(1.1)/0.1 = 0.953102,
    # k2 = ln(1 - 0.062727)/-0.062727 = 1.032741. AAA: 0.1 k1/k + 31/1100 k2/k = 0.126334; BBB: -100/1100 k2/k.
    answer = ask(client, "contribution", **DAYS)

    assert answer["time_weighted_return"] == "0.031"
    parts = {one["security_id"]: D(one["contribution"]) for one in answer["contributions"]}
    assert parts["AAA"] == pytest.approx(D("0.126334"), abs=D("2e-6"))
    assert parts["BBB"] == pytest.approx(D("-0.095334"), abs=D("2e-6"))
    assert sum(parts.values()) == pytest.approx(D("0.031"), abs=D("1e-17"))
    assert {one["security_id"]: one["gain"] for one in answer["contributions"]} == {"AAA": "131", "BBB": "-100"}
    assert (answer["linking"], answer["flow_timing"], answer["cost_method"]) == ("carino", "start_in_end_out", "FIFO")


def test_the_segments_contribute_what_their_holdings_do(client, gained):
    holdings = ask(client, "contribution", **DAYS)["contributions"]
    segments = ask(client, "contribution", by="asset_class", **DAYS)["contributions"]

    assert [one["segment"] for one in segments] == ["Bond", "Equity"]
    assert [one["contribution"] for one in segments] == [one["contribution"] for one in holdings][::-1]


def test_contribution_and_performance_tell_the_same_return(client, gained):
    of_all_time = ask(client, "contribution")
    performance = ask(client, "performance")

    assert of_all_time["time_weighted_return"] == performance["time_weighted_return"]
    assert (of_all_time["period"], of_all_time["start"]) == ("ITD", "2024-12-31")


def test_without_cash_records_what_is_paid_in_is_capital_and_no_gain(client):
    # Bought for 505 with the fee in cost, and worth 500: -5 over the 505 that came in. Then +50 over 500.
    pipeline.record_reference(
        settings(cash_mode="UNTRACKED"),
        instrument("AAA"),
        price("AAA", "2025-01-02", 100),
        price("AAA", "2025-01-03", 110),
    )
    calculated(traded("BUY", "2025-01-02", "AAA", 5, 100, trade_fee=D(5)))

    answer = ask(client, "contribution", start="2025-01-01", end="2025-01-03")

    with exact():
        expected = (1 - D(5) / 505) * D("1.1") - 1
        assert D(answer["time_weighted_return"]) == pytest.approx(expected, abs=D("1e-18"))
    assert [(one["security_id"], one["gain"]) for one in answer["contributions"]] == [("AAA", "45")]


def test_another_method_and_moment_are_booked_and_contribute_alike(client, gained):
    pipeline.record_reference(price("BBB", "2025-01-03", 70, version=2), now=NOW + HOUR)
    before = ask(client, "contribution", **DAYS, cost_method="AVCO", known_at=(NOW + HOUR / 2).isoformat())
    pipeline.value("P1")
    now = ask(client, "contribution", **DAYS)

    assert (before["time_weighted_return"], before["cost_method"]) == ("0.031", "AVCO")
    # 1,000 -> 1,100 -> 1,100 + 31 - 150 = 981
    assert now["time_weighted_return"] == "-0.019"


# --- attribution --------------------------------------------------------------------------------------------------


def benchmark(on, **segments):
    return [
        RawBenchmarkWeight(
            benchmark_weight=SubmittedBenchmarkWeight(
                benchmark_id="INDEX",
                segment_by="asset_class",
                segment=name,
                weight_date=day(on),
                weight=D(weight),
                segment_return=D(of_segment),
            )
        )
        for name, (weight, of_segment) in segments.items()
    ]


def test_the_effects_of_each_segment_add_up_to_the_active_return(client, gained):
    # One day, the 2nd. Portfolio: Equity 0.5, which made 20 %; Bond 0.5, 0 %: 10 %. Benchmark: Equity 0.7 at 12 %,
    # Bond 0.3 at 2 %: 9 %. Active 1 %. Equity: allocation (0.5 - 0.7)(0.12 - 0.09) = -0.006, selection
    # 0.7 (0.20 - 0.12) = 0.056, interaction -0.2 x 0.08 = -0.016. Bond: 0.2 (0.02 - 0.09) = -0.014,
    # 0.3 (0 - 0.02) = -0.006, 0.2 x -0.02 = -0.004.
    pipeline.record_reference(*benchmark("2025-01-02", Equity=("0.7", "0.12"), Bond=("0.3", "0.02")))
    answer = ask(client, "attribution", start="2025-01-01", end="2025-01-02")

    assert [answer[name] for name in ("portfolio_return", "benchmark_return", "active_return")] == [
        "0.1",
        "0.09",
        "0.01",
    ]
    assert answer["segments"] == [
        {"segment": "Bond", "allocation": "-0.014", "selection": "-0.006", "interaction": "-0.004", "total": "-0.024"},
        {"segment": "Equity", "allocation": "-0.006", "selection": "0.056", "interaction": "-0.016", "total": "0.034"},
    ]
    assert answer["effects"] == {
        "allocation": "-0.02",
        "selection": "0.05",
        "interaction": "-0.02",
        "total": "0.01",
    }
    assert (answer["benchmark_id"], answer["last_benchmark_date"]) == ("INDEX", "2025-01-02")


def test_a_row_of_a_longer_time_is_compared_with_the_same_time(client, gained):
    # The two days as one: 3.1 % against 0.7 x 6 % + 0.3 x 1 % = 4.5 %.
    pipeline.record_reference(*benchmark("2025-01-03", Equity=("0.7", "0.06"), Bond=("0.3", "0.01")))
    answer = ask(client, "attribution", **DAYS)

    assert (answer["portfolio_return"], answer["benchmark_return"]) == ("0.031", "0.045")
    assert D(answer["effects"]["total"]) == pytest.approx(D("-0.014"), abs=D("1e-16"))


def test_several_days_are_linked(client, gained):
    pipeline.record_reference(
        *benchmark("2025-01-02", Equity=("0.7", "0.12"), Bond=("0.3", "0.02")),
        *benchmark("2025-01-03", Equity=("0.6", "0.01"), Bond=("0.4", "-0.01")),
    )
    answer = ask(client, "attribution", **DAYS)

    # 1.09 x 1.002 - 1 = 0.09218
    assert (answer["portfolio_return"], answer["benchmark_return"]) == ("0.031", "0.09218")
    assert D(answer["effects"]["total"]) == pytest.approx(D("-0.06118"), abs=D("1e-16"))
    total = sum(D(one["total"]) for one in answer["segments"])
    assert total == pytest.approx(D("-0.06118"), abs=D("1e-16"))


def test_cash_that_was_held_is_a_segment_of_its_own(client):
    # All in cash, 0 %; the benchmark made 5 % with shares: the shares missing are allocation, all of it.
    pipeline.record_reference(settings(), *benchmark("2025-01-02", Equity=("0.8", "0.05"), cash=("0.2", "0")))
    calculated(deposit("2025-01-01", 1000))
    answer = ask(client, "attribution", start="2025-01-01", end="2025-01-02", benchmark_id="INDEX")

    # B = 4 %. Equity: -0.8 (0.05 - 0.04) = -0.008; cash: 0.8 (0 - 0.04) = -0.032.
    assert {one["segment"]: one["allocation"] for one in answer["segments"]} == {"Equity": "-0.008", "cash": "-0.032"}
    assert answer["active_return"] == "-0.04"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (DAYS, []),
        ({**DAYS, "by": "sector"}, ["2025-01-03"]),
        ({**DAYS, "benchmark_id": "OTHER"}, ["2025-01-03"]),
        # The last row lies more than 5 trading days before the end; the row's time began before the period.
        ({"start": "2025-01-01", "end": "2025-01-14"}, ["2025-01-03"]),
        ({"start": "2025-01-14", "end": "2025-01-31"}, ["2025-01-03", "2025-01-31"]),
    ],
)
def test_a_benchmark_that_does_not_fit_the_period_is_none(client, gained, query, rows):
    for on in rows:
        pipeline.record_reference(*benchmark(on, Equity=("0.7", "0.06"), Bond=("0.3", "0.01")))
    answer = ask(client, "attribution", **query)

    assert answer["active_return"]["unavailable"] == "NO_BENCHMARK"
    assert answer["effects"]["total"]["unavailable"] == "NO_BENCHMARK"
    assert answer["segments"] == []


@pytest.mark.parametrize(
    ("start", "fits"),
    [("2024-12-31", True), ("2025-01-03", True), ("2024-11-30", False), ("2025-01-20", False), ("2024-01-01", False)],
)
def test_the_first_row_of_months_is_of_a_month(client, gained, start, fits):
    """Told for January, February and March: nothing says when January's time begins but the others' length. Their 20 and
    21 weekdays make 15 to 26 of it.
    """
    for on in ("2025-01-31", "2025-02-28", "2025-03-31"):
        pipeline.record_reference(*benchmark(on, Equity=("0.7", "0.06"), Bond=("0.3", "0.01")))
    answer = ask(client, "attribution", start=start, end="2025-03-31", benchmark_id="INDEX")

    assert ("unavailable" not in answer["benchmark_return"]) is fits


# --- risk ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def swinging(client):
    """1 unit of AAA, bought at 100 on Friday the 3rd; 24 weekdays from Monday the 6th of January on which the price goes
    up by 10 % and down by 10 % in turn. The index moves half as much.
    """
    messages, ours, theirs, on = [], D(100), D(1000), day("2025-01-03")
    messages += [price("AAA", "2025-01-03", 100), price("INDEX", "2025-01-03", 1000)]
    for number in range(24):
        on += datetime.timedelta(days=3 if on.weekday() == 4 else 1)
        sign = 1 if number % 2 == 0 else -1
        ours, theirs = ours * (1 + sign * D("0.1")), theirs * (1 + sign * D("0.05"))
        messages += [price("AAA", on.isoformat(), round(ours, 18)), price("INDEX", on.isoformat(), round(theirs, 18))]
    pipeline.record_reference(settings(benchmark_security_id="INDEX"), instrument("AAA"), *messages)
    calculated(deposit("2025-01-03", 100), traded("BUY", "2025-01-03", "AAA", 1, 100))
    assert on == day("2025-02-06")


PERIOD = {"start": "2025-01-03", "end": "2025-02-06"}


def number(figure):
    assert isinstance(figure, str), figure
    return float(figure)


def test_risk_of_returns_that_can_be_told_by_heart(client, swinging):
    answer = ask(client, "risk", **PERIOD)

    # 12 times +10 % and 12 times -10 %: mean 0, squares 24 x 0.01, sample deviation sqrt(0.24 / 23), times sqrt(252).
    assert (answer["returns_count"], answer["trading_days"]) == (24, "monday_to_friday")
    assert number(answer["volatility"]) == pytest.approx((0.24 / 23 * 252) ** 0.5, rel=1e-12)
    # Half of the squares, over all days.
    assert number(answer["downside_risk"]) == pytest.approx((12 * 0.01 / 24 * 252) ** 0.5, rel=1e-12)
    assert number(answer["sharpe_ratio"]) == pytest.approx(0, abs=1e-12)
    # From 110 on the 6th the peaks fall by 1 % each two days: 110 x 0.99^11 x 0.9 at the end.
    assert number(answer["maximum_drawdown"]) == pytest.approx(1 - 0.99**11 * 0.9, rel=1e-12)
    assert (answer["peak_date"], answer["trough_date"]) == ("2025-01-06", "2025-02-06")
    assert answer["recovery_date"] is None
    assert answer["current_drawdown"] == answer["maximum_drawdown"]
    # A year is not over.
    assert answer["calmar_ratio"]["unavailable"] == "PERIOD_TOO_SHORT"


def test_losses_at_risk_are_positive(client, swinging):
    at_95, at_99 = ask(client, "risk", **PERIOD)["losses_at_risk"]

    # The worst of 24 days are 12 of -10 %.
    assert (at_95["level"], at_99["level"]) == (95, 99)
    assert number(at_95["value_at_risk"]) == pytest.approx(0.1)
    assert number(at_99["expected_shortfall"]) == pytest.approx(0.1)
    # Gaussian: 1.644854 deviations of sqrt(0.24 / 23) = 0.102151.
    assert number(at_95["gaussian_value_at_risk"]) == pytest.approx(0.168024, abs=1e-6)


def test_a_benchmark_of_half_the_swing_makes_a_beta_of_two(client, swinging):
    own = ask(client, "risk", **PERIOD)["benchmark"]
    named = ask(client, "risk", **PERIOD, benchmark="AAA")["benchmark"]
    unknown = ask(client, "risk", **PERIOD, benchmark="NONE")["benchmark"]

    assert own["security_id"] == "INDEX"
    assert number(own["beta"]) == pytest.approx(2)
    # The difference swings by 5 %.
    assert number(own["tracking_error"]) == pytest.approx((24 * 0.0025 / 23 * 252) ** 0.5, rel=1e-9)
    assert number(own["information_ratio"]) == pytest.approx(0, abs=1e-9)
    assert (named["security_id"], number(named["beta"])) == ("AAA", pytest.approx(1))
    assert unknown["beta"]["unavailable"] == "NO_BENCHMARK"


def test_rates_are_annual(client, swinging):
    answer = ask(client, "risk", **PERIOD, risk_free_rate="0.05", mar="-0.1")

    daily = 1.05 ** (1 / 252) - 1
    assert number(answer["sharpe_ratio"]) == pytest.approx(-daily / (0.24 / 23) ** 0.5 * 252**0.5, rel=1e-9)
    acceptable = 0.9 ** (1 / 252) - 1
    risk = ((0.1 + acceptable) ** 2 / 2 * 252) ** 0.5
    assert number(answer["downside_risk"]) == pytest.approx(risk, rel=1e-9)
    assert number(answer["sortino_ratio"]) == pytest.approx(-acceptable * 252 / risk, rel=1e-9)
    assert (answer["risk_free_rate"], answer["minimum_acceptable_return"]) == ("0.05", "-0.1")


def test_nineteen_returns_are_too_few(client, swinging):
    # From the 10th of January on there are 19 weekdays up to the 6th of February, the 10th left out.
    answer = ask(client, "risk", start="2025-01-10", end="2025-02-06")

    assert answer["returns_count"] == 19
    assert answer["volatility"]["unavailable"] == "TOO_FEW_RETURNS"
    assert answer["maximum_drawdown"]["unavailable"] == "TOO_FEW_RETURNS"


# --- what all have in common --------------------------------------------------------------------------------------


PATHS = ["risk", "allocation", "concentration", "contribution", "attribution", "income", "realized-gains"]


@pytest.mark.parametrize("path", PATHS)
def test_nobody_reads_anothers_portfolio(held, path):
    stranger = APIClient()
    stranger.force_authenticate(User.objects.create_user("stranger"))

    answer = stranger.get(f"/api/v1/portfolios/P1/{path}/")

    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", PATHS)
def test_what_is_pending_is_said(client, held, path):
    assert ask(client, path)["pending"] is None

    pipeline.record(deposit("2025-02-01", 1), submitted_by="owner")

    assert ask(client, path)["pending"]["since"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "query",
    [
        {"on": "2025-01-01"},
        {"start": "2025-02-01", "end": "2025-01-01"},
        {"by": "colour"},
        {"risk_free_rate": "-1"},
        {"mar": "nan"},
        {"year": "25"},
        {"year": "2025", "period": "YTD"},
        {"long_term_days": "-1"},
        {"as_of": "soon"},
    ],
    ids=str,
)
def test_a_question_that_cannot_be_answered_is_refused_by_name(client, held, path, query):
    answer = client.get(f"/api/v1/portfolios/P1/{path}/", query)

    assert answer.status_code == 422, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert any(name in answer.content.decode() for name in query)
