"""load_prices and load_fx, from a file to the topic and the tables."""

from __future__ import annotations

import datetime
import uuid
import zipfile
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from portfolio.models import FxRate, Price
from portfolio.streaming.kafka import create_topics, read_topic
from portfolio.streaming.messages import TOPICS, RawPrice, RawRate, decode

D = Decimal
TOPIC = "raw_market_data"


@pytest.fixture(scope="module", autouse=True)
def topics():
    create_topics(TOPICS, partitions=2, replication_factor=1, config={topic: {} for topic in TOPICS})


@pytest.fixture
def security_id():
    """Of this test alone: the topics outlive it."""
    return f"S-{uuid.uuid4().hex[:12]}"


def load(command, *arguments):
    """What the command says on standard output and on standard error."""
    out, err = StringIO(), StringIO()
    call_command(command, *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def refused(command, *arguments):
    """Why it ended with an error."""
    with pytest.raises(CommandError) as error:
        load(command, *arguments)
    return str(error.value)


def on_topic(message_type, key):
    records = [record for record in read_topic(TOPIC, records_max=100_000) if record.key == key.encode()]
    messages = [decode(TOPIC, record.value or b"") for record in records]
    return [message for message in messages if isinstance(message, message_type)]


def prices_on_topic(security_id):
    prices = [message.market_price for message in on_topic(RawPrice, security_id)]
    return [(one.price_date.isoformat(), one.price, one.version) for one in prices]


def file(tmp_path, text, name="file.csv"):
    path = tmp_path / name
    path.write_text(text)
    return path


def quotes(tmp_path):
    return file(
        tmp_path, "Date,Open,High,Low,Close,Adj Close,Volume\n2025-01-14,1,1,1,10.5,1,1\n2025-01-15,1,1,1,11,1,1\n"
    )


def test_prices_of_a_file_are_published_as_the_door_publishes_them(tmp_path, security_id):
    out, err = load("load_prices", quotes(tmp_path), "--security-id", security_id, "--currency", "USD")

    assert prices_on_topic(security_id) == [("2025-01-14", D("10.5"), 1), ("2025-01-15", D(11), 1)]
    assert "2 accepted, 0 refused" in out
    assert err == ""
    assert {message.submitted_by for message in on_topic(RawPrice, security_id)} == {None}


def test_a_corrected_file_comes_with_a_higher_version(tmp_path, security_id):
    load("load_prices", quotes(tmp_path), "--security-id", security_id, "--currency", "USD", "--version", "2")

    assert [version for *_, version in prices_on_topic(security_id)] == [2, 2]


def test_a_dry_run_says_the_same_and_publishes_nothing(tmp_path, security_id):
    out, _ = load("load_prices", quotes(tmp_path), "--security-id", security_id, "--currency", "USD", "--dry-run")

    assert "2 would be accepted (nothing is published), 0 refused" in out
    assert prices_on_topic(security_id) == []


def test_wrong_lines_are_named_with_their_field_and_the_others_go_on(tmp_path, security_id):
    path = file(
        tmp_path,
        "security_id,price_date,price,currency\n"
        f"{security_id},2025-01-14,10.5,USD\n"
        f"{security_id},2025-01-15,-1,USD\n"
        "\n"
        f"{security_id},2025-02-30,1,ABC\n"
        f"{security_id},2025-01-16\n",
    )
    out, err = load("load_prices", path)

    assert "1 accepted, 3 refused" in out
    negative, no_day, torn = err.splitlines()
    assert negative == f"line 3 ({security_id} 2025-01-15): price: must not be negative"
    expected = "price_date: '2025-02-30' is not a date of the calendar, of the form YYYY-MM-DD"
    assert no_day.startswith(f"line 5 ({security_id} 2025-02-30): {expected}; ")
    assert "currency: ABC is neither" in no_day
    assert torn == "line 6: record: line 6 has 2 cells, and the header 4"
    assert prices_on_topic(security_id) == [("2025-01-14", D("10.5"), 1)]


def test_every_line_of_a_file_is_counted_also_one_without_a_close(tmp_path, security_id):
    closes = ["10.5", "null", "-1", "", "NaN", "0"]
    path = file(tmp_path, "Date,Open,Close\n" + "".join(f"2025-01-{13 + n},1,{c}\n" for n, c in enumerate(closes)))

    out, err = load("load_prices", path, "--security-id", security_id, "--currency", "USD")

    assert "2 accepted, 1 refused, 3 passed over: no close; " in out
    assert err == f"line 4 ({security_id} 2025-01-15): price: must not be negative\n"
    assert prices_on_topic(security_id) == [("2025-01-13", D("10.5"), 1), ("2025-01-18", D(0), 1)]


def test_a_file_without_any_close_says_what_it_passed_over_before_it_fails(tmp_path):
    path, out = file(tmp_path, "Date,Close\n2025-01-14,null\n2025-01-15,null\n"), StringIO()
    with pytest.raises(CommandError, match="nothing was accepted"):
        call_command("load_prices", str(path), "--security-id", "A", "--currency", "USD", stdout=out)
    assert "0 accepted, 0 refused, 2 passed over: no close; " in out.getvalue()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("security_id,price_date,price,currency\nA,2025-01-15,-1,USD\n", "nothing was accepted"),
        ("security_id,price_date,price,currency\n", "nothing was accepted"),
        ("", "no header"),
        ("security_id,day,price,currency\n", "day: is not a field"),
        ('security_id,price_date,price,currency\n"A', "Line 2 is not CSV"),
    ],
)
def test_where_nothing_is_accepted_the_command_fails(tmp_path, text, said):
    assert said in refused("load_prices", file(tmp_path, text))


def test_what_is_no_file_or_no_text_is_an_error_that_says_so(tmp_path):
    assert "No such file" in refused("load_fx", tmp_path / "nowhere.csv")
    (tmp_path / "latin.csv").write_bytes("Date,USD\n2025-01-15,1.03 é\n".encode("latin-1"))
    assert "not UTF-8" in refused("load_fx", tmp_path / "latin.csv")
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("a.csv", "a")
        archive.writestr("b.csv", "b")
    assert "an archive of 2 files" in refused("load_fx", tmp_path / "two.zip")


# --- adjusted series ----------------------------------------------------------------------------------------------

ADJUSTED = "Date,Close,Stock Splits\n2020-08-28,124.81,0.0\n2020-08-31,129.04,4.0\n"
AS_QUOTED = [("2020-08-28", D("499.24"), 1), ("2020-08-31", D("129.04"), 1)]


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        (ADJUSTED, []),
        (ADJUSTED.replace("4.0", "0.0"), ["--split", "2020-08-31=4:1"]),
        ("Date,Close\n2020-08-28,124.81\n2020-08-31,129.04\n", ["--splits", "splits.csv"]),
    ],
    ids=["its own column", "said on the command line", "another file"],
)
def test_an_adjusted_series_brings_its_splits_and_is_turned_back(tmp_path, monkeypatch, security_id, text, arguments):
    monkeypatch.chdir(tmp_path)
    file(tmp_path, "Date,Stock Splits\n2020-08-31,4:1\n", "splits.csv")
    whose = ["--security-id", security_id, "--currency", "USD"]

    load("load_prices", file(tmp_path, text), *whose, "--adjusted", *arguments)

    assert prices_on_topic(security_id) == AS_QUOTED


def test_an_adjusted_series_without_its_splits_is_refused(tmp_path, security_id):
    whose = ["--security-id", security_id, "--currency", "USD"]
    assert "names no splits" in refused("load_prices", quotes(tmp_path), *whose, "--adjusted")
    assert "are of --adjusted prices" in refused("load_prices", quotes(tmp_path), *whose, "--split", "2020-08-31=4:1")
    assert prices_on_topic(security_id) == []


def test_splits_beside_prices_that_nobody_calls_adjusted_are_pointed_out(tmp_path, security_id):
    _, err = load("load_prices", file(tmp_path, ADJUSTED), "--security-id", security_id, "--currency", "USD")

    assert err == "splits the file names: 1; without --adjusted its prices are read as quoted on their day\n"
    assert prices_on_topic(security_id) == [("2020-08-28", D("124.81"), 1), ("2020-08-31", D("129.04"), 1)]


# --- rates --------------------------------------------------------------------------------------------------------


def test_the_ecbs_archive_is_read_without_unpacking_it(tmp_path):
    day = datetime.date(1900, 1, 1) + datetime.timedelta(days=uuid.uuid4().int % 30_000)
    with zipfile.ZipFile(tmp_path / "eurofxref-hist.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("eurofxref-hist.csv", f"Date,USD,CYP,\n{day},1.0300,N/A,\n")

    out, _ = load("load_fx", tmp_path / "eurofxref-hist.zip")

    assert "1 accepted, 0 refused" in out
    rates = [message.fx_rate for message in on_topic(RawRate, "EUR/USD")]
    assert [one.rate for one in rates if one.rate_date == day] == [D("1.03")]


def kept():
    return [list(Price.objects.order_by("pk").values()), list(FxRate.objects.order_by("pk").values())]


def consume_from_the_beginning(settings):
    """As a group that has committed nothing yet."""
    settings.KAFKA_GROUP_PREFIX = f"replay-{uuid.uuid4().hex[:6]}."
    call_command("consume_market_data", once=True)


@pytest.mark.django_db(transaction=True)
def test_what_is_loaded_is_in_the_tables_once_it_is_consumed(tmp_path, security_id):
    load("load_prices", quotes(tmp_path), "--security-id", security_id, "--currency", "USD")
    load("load_fx", file(tmp_path, "from_currency,to_currency,rate_date,rate\nSEK,NOK,2031-05-05,1.02\n"))
    call_command("consume_market_data", once=True)

    rows = Price.objects.filter(security_id=security_id, superseded_at=None).order_by("price_date")
    assert list(rows.values_list("price", flat=True)) == [D("10.5"), D(11)]
    assert FxRate.objects.get(from_currency="SEK", superseded_at=None).rate == D("1.02")


@pytest.mark.django_db(transaction=True)
def test_a_replay_of_the_whole_topic_changes_no_row(tmp_path, settings, security_id):
    whose = ["--security-id", security_id, "--currency", "USD"]
    load("load_prices", quotes(tmp_path), *whose)
    load("load_prices", file(tmp_path, "Date,Close\n2025-01-14,10.7\n"), *whose)
    load("load_prices", file(tmp_path, "Date,Close\n2025-01-14,10.5\n"), *whose)
    consume_from_the_beginning(settings)
    before = kept()
    of_the_day = list(Price.objects.filter(security_id=security_id, price_date="2025-01-14").order_by("pk"))
    assert [(row.price, row.superseded_at is None) for row in of_the_day] == [
        (D("10.5"), False),
        (D("10.7"), False),
        (D("10.5"), True),
    ]
    offsets = [-1 if row.offset is None else row.offset for row in of_the_day]
    assert sorted(set(offsets)) == offsets
    assert all(row.topic_id for row in of_the_day)

    consume_from_the_beginning(settings)

    assert kept() == before


def test_without_a_broker_the_command_says_what_to_do(tmp_path, settings, security_id):
    settings.KAFKA_BOOTSTRAP_SERVERS = "127.0.0.1:1"
    settings.PUBLISH_TIMEOUT_S = 0.5
    whose = ["--security-id", security_id, "--currency", "USD"]

    assert "load the file again when the broker is back" in refused("load_prices", quotes(tmp_path), *whose)
