"""Kafka and PostgreSQL killed by SIGKILL while transactions flow, and brought back."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

from portfolio.client import Refusal
from portfolio.management.commands.run_workers import WORKERS
from tests.faults.audit import audit
from tests.faults.flow import flow
from tests.faults.sending import Sending
from tests.faults.servers import Servers
from tests.system import System, eventually, running_system

AWAY_S = 4.0
"""How long a server stays away."""
STILL_S = 1.5
"""How long the broker stands still: less than a post is willing to wait."""


def test_kafka_is_killed_twice(servers: Servers):
    with running_system() as system, Sending(system.client, flow()) as sending:
        pids = {name: system.pid(name) for name in system.names}
        sending.reaches(0.3)
        servers.kill_kafka()
        status, headers, problem = post_one(system, "WHILE-AWAY")
        assert (status, problem["status"]) == (503, 503)
        assert int(headers["Retry-After"]) > 0
        assert not is_ready(system)
        assert servers.revive() == ["Apache Kafka"]
        eventually(lambda: is_ready(system), timeout_s=30, what="/readyz")

        sending.reaches(0.7)
        servers.kill_kafka()
        servers.revive()
        sending.ends()
        # Nobody knows whether it has arrived: the same again settles it, and the audit then finds it once.
        eventually(lambda: post_one(system, "WHILE-AWAY")[0] == 201, timeout_s=30, what="a post to be accepted")
        sending.flow.sent.append(one("WHILE-AWAY"))
        audit(system, sending.flow)
        assert {name: system.pid(name) for name in system.names} == pids, "no process needed a restart"


def test_postgres_is_killed_twice(servers: Servers):
    with running_system() as system, Sending(system.client, flow()) as sending:
        pids = {name: system.pid(name) for name in system.names}
        sending.reaches(0.3)
        servers.kill_postgres()
        time.sleep(AWAY_S)
        assert not is_ready(system)
        assert post_one(system, "WHILE-AWAY")[0] == 503
        assert servers.revive() == ["PostgreSQL"]
        eventually(lambda: is_ready(system), timeout_s=30, what="/readyz")

        sending.reaches(0.7)
        servers.kill_postgres()
        servers.revive()
        sending.ends()
        audit(system, sending.flow)
        assert {name: system.pid(name) for name in system.names} == pids, "no process needed a restart"


def test_every_worker_is_killed_after_its_commit_and_before_its_message(servers: Servers):
    """The broker stands still, so that what is committed in the database can be neither announced nor acknowledged."""
    with running_system() as system, Sending(system.client, flow()) as sending:
        for share in (0.3, 0.6):
            sending.reaches(share)
            servers.stop_kafka()
            time.sleep(STILL_S)
            for worker in WORKERS:
                system.kill(worker)
            servers.continue_kafka()
        sending.ends()
        audit(system, sending.flow)


def test_the_power_fails(servers: Servers):
    """Both servers and every process are killed at once; the processes are back before the servers are."""
    with running_system() as system, Sending(system.client, flow()) as sending:
        sending.reaches(0.4)
        servers.kill_kafka()
        servers.kill_postgres()
        for name in system.names:
            system.kill(name)
        time.sleep(AWAY_S)
        pids = {name: system.pid(name) for name in system.names}
        assert servers.revive() == ["PostgreSQL", "Apache Kafka"]
        sending.ends()
        audit(system, sending.flow)
        assert {name: system.pid(name) for name in system.names} == pids, "they have waited for the servers"


def one(transaction_id: str) -> dict[str, Any]:
    return {
        "portfolio_id": "FLOW00",
        "transaction_id": transaction_id,
        "transaction_date": "2024-01-15",
        "transaction_type": "FEE",
        "gross_transaction_amount": "1",
        "currency": "USD",
    }


def post_one(system: System, transaction_id: str) -> tuple[int, Any, Any]:
    """Status, headers and answer to a single transaction."""
    request = urllib.request.Request(
        f"{system.client.address}/ingest/transaction",
        data=json.dumps(one(transaction_id)).encode(),
        headers={"Authorization": f"Token {system.client.token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.status, reply.headers, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def is_ready(system: System) -> bool:
    try:
        return bool(system.client.get("/readyz")["ready"])
    except Refusal as refusal:
        if refusal.status != 503:
            raise
        return False
