"""The demo's story, told through the REST API: send the sample, wait for the calculations, show what comes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from portfolio.client import Client, Refusal
from portfolio.reports import Report, print_report

SAMPLE_DIR = Path(__file__).resolve().parent / "sample"
TRANSACTIONS_PER_POST = 100
WAIT_TIMEOUT_S = 180.0
POLL_INTERVAL_S = 0.2
_QUOTES = {"market-prices": "market_prices.csv", "fx-rates": "fx_rates.csv"}
CENTS = 2
REPORTED = "CLARKE-RETIREMENT"
"""The portfolio of the sample that is reported in full."""
Version = tuple[str, str, int]
"""portfolio_id, transaction_id, version."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What is sent, as files of the repository, and what is expected to come of it."""

    transactions: list[bytes]
    expected: dict[str, Any]

    @classmethod
    def read(cls) -> Sample:
        lines = (SAMPLE_DIR / "transactions.ndjson").read_bytes().splitlines()
        return cls(lines, json.loads((SAMPLE_DIR / "expected.json").read_bytes()))

    @property
    def versions(self) -> set[Version]:
        """What the ledger will have of it."""
        lines = map(json.loads, self.transactions)
        return {(t["portfolio_id"], t["transaction_id"], t.get("version", 1)) for t in lines}

    @property
    def as_of(self) -> str:
        """The last day of the sample's prices."""
        return str(self.expected["as_of"])


def send(sample: Sample, client: Client, say: Callable[[str], None]) -> None:
    """Post everything: attributes and market first, then the transactions in the order of the file."""
    for entity in ("portfolios", "instruments"):
        answer = client.post(f"/ingest/{entity}", (SAMPLE_DIR / f"{entity}.json").read_bytes())
        say(f"sent {entity}: {answer['accepted']} accepted")
    for entity, file in _QUOTES.items():
        answer = client.post(f"/ingest/{entity}", (SAMPLE_DIR / file).read_bytes(), "text/csv")
        say(f"sent {entity}: {answer['accepted']} accepted")
    for start in range(0, len(sample.transactions), TRANSACTIONS_PER_POST):
        lines = sample.transactions[start : start + TRANSACTIONS_PER_POST]
        client.post("/ingest/transactions", b"\n".join(lines), "application/x-ndjson")
        say(f"sent transactions: {start + len(lines)} of {len(sample.transactions)} accepted")


def wait(sample: Sample, client: Client, say: Callable[[str], None]) -> None:
    """Until the last price is kept, every transaction is in the ledger and nothing is left to calculate.

    Raises TimeoutError, which says what was still missing.
    """
    until = time.monotonic() + WAIT_TIMEOUT_S
    missing = ""
    while time.monotonic() < until:
        now_missing = _missing(sample, client)
        if not now_missing:
            return
        if now_missing != missing:
            say(f"waiting: {now_missing}")
            missing = now_missing
        time.sleep(POLL_INTERVAL_S)
    raise TimeoutError(f"after {WAIT_TIMEOUT_S:.0f} s there is still missing: {missing}")


def _missing(sample: Sample, client: Client) -> str:
    left = len(sample.versions - _recorded(sample, client))
    if left:
        return f"{left} transactions on their way to the ledger"
    for entity, file in _QUOTES.items():
        left = _lines(file) - len(client.every(f"/api/v1/{entity}/"))
        if left > 0:
            return f"{left} {entity} on their way to the database"
    pending = [p for p in sample.expected["portfolios"] if _positions(client, p, sample.as_of)["pending"]]
    return f"calculations of {', '.join(pending)}" if pending else ""


def _recorded(sample: Sample, client: Client) -> set[Version]:
    """Every version that the ledger has of the sample's portfolios."""
    recorded: set[Version] = set()
    for portfolio_id in sample.expected["portfolios"]:
        try:
            versions = client.every(f"/api/v1/portfolios/{portfolio_id}/transactions/", status="ALL", versions="all")
        except Refusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            continue  # nothing of it has arrived yet
        recorded |= {(v["portfolio_id"], v["transaction_id"], v["version"]) for v in versions}
    return recorded


def _lines(file: str) -> int:
    """How many quotes a file holds, below its heading."""
    return len((SAMPLE_DIR / file).read_text().splitlines()) - 1


def _positions(client: Client, portfolio_id: str, as_of: str) -> Any:
    return client.get(f"/api/v1/portfolios/{portfolio_id}/positions/", as_of=as_of)


def show(sample: Sample, client: Client, console: Console) -> list[str]:
    """Print the positions of every portfolio as a table; returns how they differ from what the sample foresees.

    A portfolio that somebody has sent more to since is shown, and not compared.
    """
    differences: list[str] = []
    gone_on = {portfolio_id for portfolio_id, *_ in _recorded(sample, client) - sample.versions}
    for portfolio_id, expected in sample.expected["portfolios"].items():
        answer = _positions(client, portfolio_id, sample.as_of)
        console.print(_table(answer))
        for one in answer["exceptions"]:
            console.print(f"  exception {one['code']}: {one['transaction_id']}, {one['detail']}", style="yellow")
        if portfolio_id not in gone_on:
            differences += _differences(portfolio_id, answer, expected)
    return differences


def report(sample: Sample, client: Client, console: Console) -> None:
    """Print the whole report of one portfolio, as `manage.py report` does."""
    address = f"/api/v1/portfolios/{REPORTED}/"
    print_report(
        Report(
            positions=_positions(client, REPORTED, sample.as_of),
            statement=client.get(f"{address}statement/", end=sample.as_of),
            performance=client.get(f"{address}performance/", end=sample.as_of, series="none"),
            risk=client.get(f"{address}risk/", end=sample.as_of),
        ),
        console,
    )


def _differences(portfolio_id: str, answer: Any, expected: Any) -> list[str]:
    """Where quantities or balances are not those that the sample's own arithmetic foresees."""
    found = {p["security_id"]: p["quantity"] for p in answer["positions"]}
    found |= {c["currency"]: c["balance"] for c in answer["cash"]}
    foreseen = expected["quantities"] | (expected["cash"] or {})
    return [
        f"{portfolio_id} {name}: {found.get(name)} instead of {foreseen.get(name)}"
        for name in sorted(found.keys() | foreseen.keys())
        if found.get(name) != foreseen.get(name)
    ]


def _table(answer: Any) -> Table:
    base = answer["base_currency"]
    table = Table(
        title=f"{answer['portfolio_id']}: {answer['as_of']}, {answer['cost_method']}, in {base}", title_justify="left"
    )
    table.add_column("holding", min_width=9)
    for heading in ("quantity", "price", "cost", "value", "unrealized", "realized", "income", "weight"):
        table.add_column(heading, justify="right")
    for p in answer["positions"]:
        table.add_row(
            p["security_id"],
            p["quantity"],
            f"{_money(p['price'])} {p['currency']}",
            *(
                _money(p[f"{name}_base"])
                for name in ("cost_basis", "market_value", "unrealized_gain", "realized_gain", "income")
            ),
            _percent(p["weight"]),
        )
    for c in answer["cash"]:
        figures = ("cost_base", "balance_base", "unrealized_fx_gain_base", "realized_fx_gain_base")
        table.add_row(f"cash {c['currency']}", _money(c["balance"]), "", *(_money(c[name]) for name in figures), "", "")
    totals = answer["totals"]
    table.add_section()
    sums = ("cost_basis", "value", "unrealized_gain", "realized_gain", "income")
    table.add_row("total", "", "", *(_money(totals[name]) for name in sums), "", style="bold")
    return table


def _money(figure: Any) -> str:
    """Two decimals and thousands for a reader; a reason where there is no figure."""
    return figure["unavailable"] if isinstance(figure, dict) else f"{float(figure):,.{CENTS}f}"


def _percent(figure: Any) -> str:
    return figure["unavailable"] if isinstance(figure, dict) else f"{float(figure):.1%}"
