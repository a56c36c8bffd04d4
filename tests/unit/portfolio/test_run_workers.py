"""Which processes run_workers starts, and how their metrics come out at one port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from portfolio.management.commands.run_workers import WORKERS, shared_metrics, worker_programs

COUNT = """
from prometheus_client import Counter
Counter("work_total", "", ["group"]).labels("a").inc(2)
"""


@pytest.fixture
def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_each_worker_is_the_command_of_its_name():
    programs = worker_programs()
    assert tuple(program.name for program in programs) == WORKERS
    for program in programs:
        asked = subprocess.run([*program.argv, "--version"], capture_output=True, text=True, cwd="/", check=False)
        assert asked.returncode == 0, asked.stderr


def test_only_some_and_several_of_one():
    programs = worker_programs(only=["run_orchestrator", "calculate_positions"], processes={"calculate_positions": 3})
    assert [program.name for program in programs] == [
        "run_orchestrator",
        "calculate_positions",
        "calculate_positions.2",
        "calculate_positions.3",
    ]


def test_no_two_processes_of_a_group_share_a_static_membership(settings):
    settings.KAFKA_GROUP_INSTANCE_ID = "here"
    programs = worker_programs(only=["calculate_positions"], processes={"calculate_positions": 2})
    assert [program.env.get("KAFKA_GROUP_INSTANCE_ID", "here") for program in programs] == ["here", "here-2"]


@pytest.mark.parametrize(
    "wrong", ["nobody=2", "calculate_positions", "calculate_positions=0", "calculate_positions=65"]
)
def test_a_wrong_number_of_processes_is_refused_with_a_sentence(wrong):
    with pytest.raises(CommandError, match=f"'{wrong}' is not NAME=NUMBER"):
        call_command("run_workers", "--processes", wrong)


def test_the_metrics_of_all_processes_are_served_at_one_port(free_port):
    with shared_metrics(free_port) as env:
        assert env["METRICS_PORT"] == "0"
        for _ in range(2):
            subprocess.run([sys.executable, "-c", COUNT], env={**os.environ, **env}, check=True)
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics") as answer:
            assert 'work_total{group="a"} 4.0' in answer.read().decode()
    assert not Path(env["PROMETHEUS_MULTIPROC_DIR"]).exists()


def test_a_taken_port_is_said(free_port):
    with (
        shared_metrics(free_port),
        pytest.raises(CommandError, match=f"METRICS_PORT {free_port}"),
        shared_metrics(free_port),
    ):
        raise AssertionError


def test_no_port_serves_nothing():
    with shared_metrics(0) as env:
        assert env == {"METRICS_PORT": "0"}
