"""Processes that are killed, or stand still, while transactions flow through them."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest
from django.db import connection

from portfolio.management.commands.run_workers import WORKERS
from tests.faults.audit import audit, settle
from tests.faults.flow import flow
from tests.faults.sending import Sending
from tests.system import API, System, eventually, running_system

FOLLOWING = [worker for worker in WORKERS if worker != "consume_market_data"]
"""The workers that a transaction passes through."""
STILL_S = 0.1
AWAKE_S = 5.0
"""How long a process that stood still is given to find out what has happened meanwhile."""


@pytest.mark.parametrize("worker", FOLLOWING)
def test_a_worker_is_killed_in_the_middle_of_a_transaction_and_again_when_it_is_back(worker: str):
    with running_system() as system, Sending(system.client, flow()) as sending:
        sending.reaches(0.2)
        stop_in_a_transaction(system, worker)
        system.kill(worker)
        sending.reaches(0.6)
        system.kill(worker)
        sending.ends()
        audit(system, sending.flow)
        assert len([line for line in system.lines if line.startswith(worker) and "signal 9" in line]) == 2


def test_the_api_server_is_killed_three_times():
    """The whole of it, and once only the process that answers, whose parent lives on."""
    with running_system() as system, Sending(system.client, flow()) as sending:
        sending.reaches(0.2)
        system.kill(API)
        sending.reaches(0.5)
        (answering, *_) = psutil.Process(system.pid(API)).children()
        answering.kill()
        sending.reaches(0.8)
        system.kill(API)
        sending.ends()
        assert sending.met["no answer"] > 0
        audit(system, sending.flow)


def test_two_of_each_worker_and_one_of_them_killed_in_mid_batch():
    with (
        running_system(processes=dict.fromkeys(WORKERS, 2)) as system,
        Sending(system.client, flow()) as sending,
    ):
        for share, number in ((0.3, ""), (0.6, ".2")):
            sending.reaches(share)
            for worker in WORKERS:
                system.kill(f"{worker}{number}")
        sending.ends()
        audit(system, sending.flow)


@pytest.mark.parametrize("worker", FOLLOWING)
def test_a_worker_stands_still_in_a_transaction_and_its_twin_goes_on(worker: str):
    """No timeout of the database server ends what a stopped process has begun: its successor has to."""
    with (
        running_system(processes={worker: 2}, LOCK_TIMEOUT_S="2") as system,
        Sending(system.client, flow()) as sending,
    ):
        sending.reaches(0.2)
        stopped = stop_in_a_transaction(system, worker)
        sending.ends()
        settle(sending.flow)
        assert psutil.Process(stopped).status() == psutil.STATUS_STOPPED
        os.kill(stopped, signal.SIGCONT)
        time.sleep(AWAKE_S)
        audit(system, sending.flow)
        assert system.pid(worker) == stopped, "it needs no restart"


def stop_in_a_transaction(system: System, worker: str) -> int:
    """SIGSTOP at a moment when the worker has a transaction open; gives its pid."""

    def stopped() -> int | None:
        pid = system.send(worker, signal.SIGSTOP)
        time.sleep(STILL_S)
        if sessions_waiting_for(worker, pid):
            return pid
        os.kill(pid, signal.SIGCONT)
        return None

    return int(eventually(stopped, timeout_s=30, what=f"{worker} in a transaction", pause_s=0.01))


def sessions_waiting_for(worker: str, pid: int) -> int:
    """How many of the process's sessions have written in an open transaction and wait for it to go on."""
    ports = [one.laddr.port for one in psutil.Process(pid).net_connections("tcp") if one.status == "ESTABLISHED"]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE client_port = ANY(%s) AND application_name = %s
                AND wait_event_type = 'Client' AND backend_xid IS NOT NULL
            """,
            [ports, f"portfolio-{worker.removeprefix('run_')}"],
        )
        return int(cursor.fetchone()[0])
