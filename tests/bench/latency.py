"""One transaction through the idle pipeline: from the post to the answer that shows its position."""

from __future__ import annotations

import time
from decimal import Decimal

from portfolio.client import Client
from portfolio.management.commands.run_workers import worker_programs
from tests.bench.bank_day import introduce
from tests.bench.figures import Findings, Sizes, milliseconds, quantile
from tests.bench.posts import READY_TIMEOUT_S, new_token
from tests.bench.records import portfolio_ids, trades
from tests.bench.system import System, free_port

WARM_UP_POSTS = 5
VISIBLE_TIMEOUT_S = 30.0
PAUSE_S = 0.1


def measure(system: System, sizes: Sizes) -> Findings:
    """Post, ask until it is there, pause, post again."""
    system.fresh("latency")
    portfolios = portfolio_ids(1)
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}", new_token())
    acknowledged: list[float] = []
    visible: list[float] = []
    held: dict[str, Decimal] = {}
    with system.running(system.api(port), *worker_programs(env=system.env)):
        client.wait_until_ready(timeout_s=READY_TIMEOUT_S)
        introduce(system, client, portfolios)
        for trade in trades(portfolios, WARM_UP_POSTS + sizes.latency_posts):
            held[trade.security_id] = held.get(trade.security_id, Decimal(0)) + trade.quantity
            body = trade.json()
            started_at = time.perf_counter()
            client.post("/ingest/transaction", body)
            acknowledged.append(time.perf_counter() - started_at)
            while _held(client, trade.portfolio_id, trade.security_id) != held[trade.security_id]:
                assert time.perf_counter() - started_at < VISIBLE_TIMEOUT_S, "the position was not seen in time"
            visible.append(time.perf_counter() - started_at)
            time.sleep(PAUSE_S)
    findings = Findings(f"One transaction through the idle pipeline, {sizes.latency_posts} times")
    for name, seconds in (
        ("acknowledged", acknowledged[WARM_UP_POSTS:]),
        ("position visible", visible[WARM_UP_POSTS:]),
    ):
        shares = ", ".join(
            f"{n} {milliseconds(quantile(seconds, share))}" for share, n in ((0.5, "p50"), (0.95, "p95"))
        )
        findings.add(name, shares)
    return findings


def _held(client: Client, portfolio_id: str, security_id: str) -> Decimal | None:
    positions = client.get(f"/api/v1/portfolios/{portfolio_id}/positions/")["positions"]
    return next((Decimal(one["quantity"]) for one in positions if one["security_id"] == security_id), None)
