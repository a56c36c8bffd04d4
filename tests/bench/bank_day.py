"""A bank's day: the trades of many portfolios, from the first post to final positions and values, and what that takes.

Portfolios and instruments are known beforehand. The trades of all portfolios come mixed, in the order of their times, in
lists over one connection after another. Every position is final when nothing of it is pending, which comes first, and
every value when its valuation is done; then every quantity and every balance is compared with sums made here.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from decimal import Decimal

from portfolio.client import Client
from portfolio.management.commands.run_workers import worker_programs
from portfolio.streaming.broker import TopicPartition
from portfolio.streaming.kafka.admin import cluster_topics, end_offsets
from portfolio.streaming.messages import PositionCalculation, ValuationCalculation
from tests.bench.figures import Findings, Sizes, megabytes
from tests.bench.posts import READY_TIMEOUT_S, new_token
from tests.bench.records import SECURITIES, Trade, portfolio_ids, trades
from tests.bench.system import System, Use, await_that, free_port, use_of_programs

TRADES_PER_POST = 5_000
DONE_TIMEOUT_S = 180.0

_UNFINISHED = """
    SELECT (SELECT count(*) FROM portfolio_changes AS m
            LEFT JOIN portfolio_states AS s USING (portfolio_id)
            LEFT JOIN calculations AS c ON c.portfolio_id = m.portfolio_id AND c.kind = 'POSITIONS'
            WHERE m.change_seq > coalesce(s.computed_seq, 0) OR m.change_seq > coalesce(c.done_seq, 0)
               OR c.state <> 'IDLE')
         + %s - (SELECT count(*) FROM transactions)
"""
_UNVALUED = """
    SELECT count(*) FROM portfolio_changes AS m
    LEFT JOIN valuation_states AS s USING (portfolio_id)
    LEFT JOIN calculations AS c ON c.portfolio_id = m.portfolio_id AND c.kind = 'VALUATIONS'
    WHERE m.change_seq > coalesce(s.computed_seq, 0) OR m.change_seq > coalesce(c.done_seq, 0) OR c.state <> 'IDLE'
"""
_CALCULATIONS = {"calculations": PositionCalculation.TOPIC, "valuations": ValuationCalculation.TOPIC}


def measure(system: System, sizes: Sizes) -> Findings:
    """One day."""
    system.fresh("day")
    portfolios = portfolio_ids(sizes.day_portfolios)
    day = list(trades(portfolios, sizes.day_portfolios * sizes.day_trades_each))
    bodies = [
        b"\n".join(trade.json() for trade in day[start : start + TRADES_PER_POST])
        for start in range(0, len(day), TRADES_PER_POST)
    ]
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}", new_token())
    with system.running(system.api(port), *worker_programs(env=system.env)):
        client.wait_until_ready(timeout_s=READY_TIMEOUT_S)
        introduce(system, client, portfolios)
        await_that(lambda: system.ask(_UNVALUED) == 0, what="every portfolio valued", timeout_s=READY_TIMEOUT_S)
        before, sent_before = use_of_programs(), {name: _sent(topic) for name, topic in _CALCULATIONS.items()}
        started_at = time.perf_counter()
        for body in bodies:
            answer = client.post("/ingest/transactions", body, "application/x-ndjson")
            assert not answer["rejected"], answer["rejected"][0]
        posted_s = time.perf_counter() - started_at
        await_that(lambda: _all_kept(system, len(day)), what="every trade in the ledger", timeout_s=DONE_TIMEOUT_S)
        kept_s = time.perf_counter() - started_at
        await_that(
            lambda: system.ask(_UNFINISHED, len(day)) == 0, what="every position final", timeout_s=DONE_TIMEOUT_S
        )
        final_s = time.perf_counter() - started_at
        await_that(lambda: system.ask(_UNVALUED) == 0, what="every value final", timeout_s=DONE_TIMEOUT_S)
        valued_s = time.perf_counter() - started_at
        after = use_of_programs()
        sent = {name: _sent(topic) - sent_before[name] for name, topic in _CALCULATIONS.items()}
    _verify(day)
    findings = Findings(f"A bank's day: {sizes.day_portfolios:,} portfolios x {sizes.day_trades_each} trades")
    findings.add("posted and acknowledged", f"{posted_s:.1f} s", f"{len(day) / posted_s:,.0f}/s")
    findings.add("in the ledger", f"{kept_s:.1f} s", f"{len(day) / kept_s:,.0f}/s")
    findings.add("every position final", f"{final_s:.1f} s", f"{len(day) / final_s:,.0f}/s")
    findings.add("every value final", f"{valued_s:.1f} s", f"{len(day) / valued_s:,.0f}/s")
    for name, count in sent.items():
        findings.add(f"  {name} of a portfolio", f"{count / len(portfolios):.1f}")
    for name, used in sorted(after.items()):
        cpu_s = used.cpu_s - before.get(name, Use()).cpu_s
        findings.add(f"  {name}", f"{megabytes(used.memory)} at most", f"{cpu_s:.1f} s of processor")
    return findings


def introduce(system: System, client: Client, portfolios: list[str]) -> None:
    """Make the portfolios and the instruments known."""
    names = [{"portfolio_id": portfolio_id, "base_currency": "USD"} for portfolio_id in portfolios]
    client.post("/ingest/portfolios", json.dumps({"portfolios": names}).encode())
    instruments = [{"security_id": security_id, "currency": "USD"} for security_id in SECURITIES]
    client.post("/ingest/instruments", json.dumps({"instruments": instruments}).encode())
    expected = len(names) + len(instruments)
    await_that(
        lambda: (
            system.ask("SELECT (SELECT count(*) FROM portfolios) + (SELECT count(*) FROM instruments)") == expected
            and system.ask(_UNFINISHED, 0) == 0
        ),
        what="portfolios and instruments known",
        timeout_s=READY_TIMEOUT_S,
    )


def _sent(topic: str) -> int:
    """How many records the topic has had."""
    partitions = cluster_topics().partitions[topic]
    return sum(end_offsets(TopicPartition(topic, number) for number in range(partitions)).values())


def _all_kept(system: System, count: int) -> bool:
    return int(system.ask("SELECT max(id) FROM transactions") or 0) >= count


def _verify(day: list[Trade]) -> None:
    """Every quantity and every balance is the sum of its trades, and nothing else is there."""
    from django.db import connection

    expected: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for trade in day:
        expected[trade.portfolio_id, trade.security_id] += trade.quantity
        paid = sum(Decimal(trade.fields[name]) for name in ("gross_transaction_amount", "trade_fee", "tax"))
        expected[trade.portfolio_id, "USD"] -= paid
    with connection.cursor() as cursor:
        cursor.execute("SELECT portfolio_id, security_id, quantity FROM positions")
        found = {(portfolio_id, security_id): quantity for portfolio_id, security_id, quantity in cursor.fetchall()}
    wrong = [key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)]
    assert not wrong, f"{len(wrong)} positions differ, {wrong[0]}: {found.get(wrong[0])}, not {expected.get(wrong[0])}"
