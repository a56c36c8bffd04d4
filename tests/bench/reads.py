"""How quickly a portfolio of ten years is read over REST, and what the database alone takes for the same rows.

One client asks one question at a time, over a connection that stays open, so what is measured is an answer and not a
queue. The bare SELECT reads the rows that the answer is made from, over a connection of its own, as Python values.
"""

from __future__ import annotations

import datetime
import http.client
import time
from dataclasses import dataclass

import psycopg

from portfolio.client import Client
from tests.bench.figures import Findings, Sizes, milliseconds, quantile
from tests.bench.long_history import PORTFOLIO_ID, store
from tests.bench.posts import READY_TIMEOUT_S, new_token
from tests.bench.system import System, free_port

WARM_UP_READS = 20
CURRENT_POSITIONS = "SELECT * FROM positions WHERE portfolio_id = %(id)s"
LAST_STATES = """
    SELECT h.* FROM positions AS p CROSS JOIN LATERAL (
        SELECT * FROM position_days AS d
        WHERE d.portfolio_id = p.portfolio_id AND d.kind = p.kind AND d.security_id = p.security_id
            AND d.position_date <= %(day)s
        ORDER BY d.position_date DESC LIMIT 1
    ) AS h WHERE p.portfolio_id = %(id)s
"""
EVERY_DAY = "SELECT * FROM daily_valuations WHERE portfolio_id = %(id)s ORDER BY valuation_date"
EVERY_STATE = "SELECT * FROM position_days WHERE portfolio_id = %(id)s"
STATES_OF_A_YEAR = f"{EVERY_STATE} AND position_date > current_date - 365"
SELDOM = 20
"""Of what reads every day of every holding, so few rounds are enough, and must be: the SELECT alone takes a while."""
PAGE_OF_DAYS = f"{EVERY_DAY} LIMIT 1000"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the portfolio, in every so manieth round, and the SELECT of the rows the answer is made from."""

    name: str
    path: str
    rows: str
    every: int = 1


QUESTIONS = (
    Question("positions", "positions/", CURRENT_POSITIONS),
    Question("positions five years ago", "positions/?as_of={day}", LAST_STATES),
    Question("statement of ten years", "statement/", CURRENT_POSITIONS),
    Question("statement of five years", "statement/?start={day}", LAST_STATES),
    Question("performance of ten years", "performance/?series=none", EVERY_DAY),
    Question("  with its monthly series", "performance/", EVERY_DAY),
    Question("  with a daily series", "performance/?series=daily", EVERY_DAY),
    Question("a year's performance, daily", "performance/?period=1Y", EVERY_DAY),
    Question("risk of ten years", "risk/", EVERY_DAY),
    Question("allocation", "allocation/", CURRENT_POSITIONS),
    Question("income of ten years", "income/", EVERY_STATE, every=SELDOM),
    Question("contribution of a year", "contribution/?period=1Y", STATES_OF_A_YEAR, every=SELDOM),
    Question("contribution of ten years", "contribution/", EVERY_STATE, every=SELDOM),
    Question("1,000 days of valuations", "valuations/?page_size=1000", PAGE_OF_DAYS),
)


def measure(system: System, sizes: Sizes) -> Findings:
    """Bring the portfolio in, then ask each question in turns."""
    system.fresh("reads")
    today = datetime.datetime.now(datetime.UTC).date()
    started_at = time.monotonic()
    store(sizes.history_read, today=today)
    system.ask("VACUUM ANALYZE")
    stored_s = time.monotonic() - started_at
    day = today.replace(year=today.year - 5, day=1)
    port = free_port()
    token = new_token()
    answered: dict[str, list[float]] = {one.name: [] for one in QUESTIONS}
    selected: dict[str, list[float]] = {one.name: [] for one in QUESTIONS}
    not_modified: list[float] = []
    with system.running(system.api(port)), psycopg.connect(system.env["DATABASE_URL"], autocommit=True) as database:
        Client(f"http://127.0.0.1:{port}", token).wait_until_ready(timeout_s=READY_TIMEOUT_S)
        reader = _Reader(port, token)
        for number in range(WARM_UP_READS + sizes.reads):
            for one in QUESTIONS:
                if number % one.every:
                    continue
                took = reader.ask(one.path.format(day=day))
                bare = _select(database, one.rows, day)
                if number >= WARM_UP_READS:
                    answered[one.name].append(took)
                    selected[one.name].append(bare)
            not_modified.append(reader.ask_again())
    findings = Findings(
        f"Reading a portfolio of {sizes.history_read:,} transactions in ten years (stored in {stored_s:.0f} s)"
    )
    for name, seconds in answered.items():
        bare = quantile(selected[name], 0.5)
        ratio = quantile(seconds, 0.5) / bare
        findings.add(name, _shares(seconds), f"{ratio:.1f} of SELECT ({milliseconds(bare)})")
    findings.add("the last one, not modified", _shares(not_modified[WARM_UP_READS:]))
    return findings


class _Reader:
    """Asks over one connection."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        self._last = ("", "")

    def ask(self, path: str) -> float:
        """Seconds to the last byte of the answer."""
        started_at = time.perf_counter()
        response = self._get(path, {})
        took = time.perf_counter() - started_at
        assert response.status == 200, (path, response.status)
        self._last = path, response.headers["ETag"]
        return took

    def ask_again(self) -> float:
        """The same for the last question, whose answer has not changed."""
        path, tag = self._last
        started_at = time.perf_counter()
        response = self._get(path, {"If-None-Match": tag})
        assert response.status == 304, (path, response.status)
        return time.perf_counter() - started_at

    def _get(self, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
        self._connection.request("GET", f"/api/v1/portfolios/{PORTFOLIO_ID}/{path}", headers=self._headers | headers)
        response = self._connection.getresponse()
        response.read()
        return response


def _select(database: psycopg.Connection[tuple[object, ...]], rows: str, day: datetime.date) -> float:
    started_at = time.perf_counter()
    database.execute(rows, {"id": PORTFOLIO_ID, "day": day}).fetchall()
    return time.perf_counter() - started_at


def _shares(seconds: list[float]) -> str:
    return ", ".join(f"{n} {milliseconds(quantile(seconds, share))}" for share, n in ((0.5, "p50"), (0.95, "p95")))
