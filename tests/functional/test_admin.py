"""The admin: every page loads, nothing in it can be changed, and it asks the database little."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from portfolio import admin_tools
from portfolio.models import StoppedWorker
from portfolio.streaming.memory import MemoryBroker
from tests import factories
from tests.factories import PortfolioChangeFactory, TransactionFactory, UserFactory
from transactions.admin import TradeDateFilter

pytestmark = pytest.mark.django_db

TRANSACTIONS = "/admin/transactions/transaction/"
ROWS = [
    factories.TransactionFactory,
    factories.PortfolioFactory,
    factories.PortfolioChangeFactory,
    factories.InstrumentFactory,
    factories.ReferenceVersionFactory,
    factories.PriceFactory,
    factories.FxRateFactory,
    factories.BenchmarkWeightFactory,
    factories.DeadLetterFactory,
    factories.StoppedWorkerFactory,
]


def client(user):
    browser = Client()
    browser.force_login(user)
    return browser


@pytest.fixture
def boss():
    return client(UserFactory(is_staff=True, is_superuser=True))


def addresses(row):
    model = type(row)._meta
    name = f"admin:{model.app_label}_{model.model_name}"
    return (
        reverse(f"{name}_changelist"),
        reverse(f"{name}_change", args=[row.pk]),
        reverse(f"{name}_add"),
        reverse(f"{name}_delete", args=[row.pk]),
    )


def listed(answer):
    return [row.transaction_id for row in answer.context["cl"].result_list]


@pytest.mark.parametrize("make", ROWS, ids=lambda make: make._meta.model.__name__)
def test_every_list_and_every_page_loads_and_nothing_can_be_changed(boss, make):
    row = make()
    changelist, change, add, delete = addresses(row)
    assert boss.get(changelist).status_code == 200
    page = boss.get(change)
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    assert boss.get(add).status_code == 403
    assert boss.post(change, {}).status_code == 403
    assert boss.post(delete, {"post": "yes"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("make", ROWS, ids=lambda make: make._meta.model.__name__)
def test_every_search_finds_by_an_index_and_none_by_any_case(make):
    fields = admin.site._registry[make._meta.model].search_fields
    assert not [name for name in fields if name[0] in "^=@"], "these fold case, which no index here does"


def test_the_site_has_a_name(boss):
    assert b"Portfolio Analytics System" in boss.get("/admin/").content


def test_a_transactions_page_shows_all_its_versions_and_marks_what_changed(boss):
    TransactionFactory(portfolio_id="P1", transaction_id="T1", version=1, quantity=Decimal(10))
    second = TransactionFactory(
        portfolio_id="P1", transaction_id="T1", version=2, quantity=Decimal("12.50"), submitted={"quantity": "12.50"}
    )
    page = boss.get(addresses(second)[1]).content.decode()
    assert '<td>10</td><td class="changed">12.5</td>' in page
    assert "<td>BUY</td><td>BUY</td>" in page
    assert "&quot;quantity&quot;: &quot;12.50&quot;" in page


def test_only_the_newest_of_very_many_versions_are_shown(boss):
    for version in range(1, 24):
        row = TransactionFactory(portfolio_id="P1", transaction_id="T1", version=version)
    page = boss.get(addresses(row)[1]).content.decode()
    assert "The newest 20 versions; 3 older ones are left out." in page


def test_what_a_record_holds_is_never_taken_for_markup(boss):
    row = TransactionFactory(submitted={"note": "<script>"}, note="<script>")
    letter = factories.DeadLetterFactory(value=b"<script>", reason="<script>")
    for address in (addresses(row)[1], addresses(letter)[1], addresses(letter)[0]):
        assert b"<script>" not in boss.get(address).content.replace(b"<script>window", b"")


def test_transactions_are_found_by_their_ids_and_by_filters(boss):
    PortfolioChangeFactory(portfolio_id="P1")
    TransactionFactory(portfolio_id="P1", transaction_id="T1", transaction_date=datetime.date(2024, 2, 29))
    TransactionFactory(
        portfolio_id="P2", transaction_id="T2", transaction_type="SELL", currency="EUR", security_id="MSFT"
    )
    for query, expected in (
        ("q=P1", ["T1"]),
        ("q=T2", ["T2"]),
        ("q=MSFT", ["T2"]),
        ("q=P1+T2", []),
        ("transaction_type__exact=SELL", ["T2"]),
        ("currency=EUR", ["T2"]),
        ("portfolio_id=P1", ["T1"]),
        ("traded=2024", ["T1"]),
        ("traded=2024-02", ["T1"]),
        ("traded=2025", ["T2"]),
        ("traded=-1999", []),
        ("traded=2024-13", []),
        ("", ["T2", "T1"]),
    ):
        assert listed(boss.get(f"{TRANSACTIONS}?{query}")) == expected, query


def test_a_typed_filter_keeps_the_others(boss):
    page = boss.get(f"{TRANSACTIONS}?currency=EUR&traded=2024&q=T").content.decode()
    assert '<input type="hidden" name="currency" value="EUR">' in page
    assert '<input type="hidden" name="traded" value="2024">' in page
    assert '<input type="text" name="currency" value="EUR"' in page


def test_a_year_opens_into_its_months(boss):
    page = boss.get(f"{TRANSACTIONS}?traded=2024-02").content.decode()
    assert all(f"?traded=2024-{month:02}" in page for month in range(1, 13))
    assert "?traded=2024-02" not in boss.get(TRANSACTIONS).content.decode()
    assert TradeDateFilter.parameter_name == "traded"


def test_counting_stops_at_its_limit_and_says_so(boss, monkeypatch):
    monkeypatch.setattr(admin_tools, "ROWS_COUNTED_MAX", 3)
    monkeypatch.setattr(admin_tools, "FEW_ROWS", 1)
    for _ in range(5):
        TransactionFactory()
    answer = boss.get(TRANSACTIONS)
    assert answer.context["cl"].result_count == 3
    assert "more than 3 transactions" in answer.content.decode()


def test_the_pages_of_a_long_list_hold_each_row_once(boss, monkeypatch):
    monkeypatch.setattr("transactions.admin.TransactionAdmin.list_per_page", 2)
    for number in range(5):
        TransactionFactory(transaction_id=f"T{number}")
    seen = [listed(boss.get(f"{TRANSACTIONS}?p={page}")) for page in (1, 2, 3)]
    assert seen == [["T4", "T3"], ["T2", "T1"], ["T0"]]


def test_a_longer_list_takes_no_more_queries(boss, django_assert_max_num_queries):
    counts = []
    for rows in (2, 30):
        for _ in range(rows):
            TransactionFactory()
        with django_assert_max_num_queries(8) as captured:
            boss.get(TRANSACTIONS)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_staff_see_only_what_they_may_read():
    PortfolioChangeFactory(portfolio_id="HERS", owner="anna")
    PortfolioChangeFactory(portfolio_id="HIS", owner="ben")
    hers, his = (TransactionFactory(portfolio_id=name, transaction_id=f"of-{name}") for name in ("HERS", "HIS"))
    anna = client(UserFactory(username="anna", is_staff=True, permissions=["transactions.view_transaction"]))
    assert listed(anna.get(TRANSACTIONS)) == ["of-HERS"]
    assert anna.get(addresses(hers)[1]).status_code == 200
    assert anna.get(addresses(his)[1]).status_code == 302
    assert anna.get("/admin/portfolio/deadletter/").status_code == 403


# --- what a person can do -----------------------------------------------------------------------------------------


def act(browser, changelist, action, *rows):
    return browser.post(changelist, {"action": action, "_selected_action": [row.pk for row in rows]}, follow=True)


LETTERS, STOPPED = "/admin/portfolio/deadletter/", "/admin/portfolio/stoppedworker/"


def test_letters_are_published_again_and_those_that_are_settled_stay(boss, monkeypatch):
    broker = MemoryBroker({"raw_transactions": 1})
    monkeypatch.setattr("portfolio.admin_inbox.shared_producer", broker.producer)
    open_one, settled = factories.DeadLetterFactory.create(), factories.DeadLetterFactory.create(status="DISCARDED")
    page = act(boss, LETTERS, "retry", open_one, settled).content.decode()
    assert "1 settled." in page
    assert f"etter {settled.pk} is DISCARDED already" in page
    assert [broker.end(partition) for partition in broker.partitions("raw_transactions")] == [1]
    open_one.refresh_from_db()
    assert open_one.status == "RETRIED"


def test_letters_are_let_be(boss):
    letter = factories.DeadLetterFactory.create()
    act(boss, LETTERS, "discard", letter)
    letter.refresh_from_db()
    assert letter.status == "DISCARDED"


def test_a_stopped_worker_is_let_go_on(boss):
    worker = factories.StoppedWorkerFactory.create()
    assert f"May start again: {worker.consumer_group}" in act(boss, STOPPED, "resume", worker).content.decode()
    assert not StoppedWorker.objects.exists()


def test_who_may_only_look_is_offered_nothing_to_do():
    letter, worker = factories.DeadLetterFactory.create(), factories.StoppedWorkerFactory.create()
    names = ["portfolio.view_deadletter", "portfolio.view_stoppedworker", "portfolio.view_any_portfolio"]
    looker = client(UserFactory(is_staff=True, permissions=names))
    act(looker, LETTERS, "discard", letter)
    act(looker, STOPPED, "resume", worker)
    letter.refresh_from_db()
    assert letter.status == "OPEN"
    assert StoppedWorker.objects.exists()
    assert b'name="action"' not in looker.get(LETTERS).content
