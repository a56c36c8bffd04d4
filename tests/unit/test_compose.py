"""docker-compose.yml held against what it names: no Docker is needed to see that they fit.

Each rule is a function from a compose file to what is wrong with it. The first test runs all rules on the real file, the
second runs each on a copy with one thing spoilt and expects to hear of it.
"""

from __future__ import annotations

import copy
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from prometheus_client import Gauge

from portfolio.management.commands.run_workers import WORKERS
from portfolio.streaming import metrics
from tests.unit.test_environment import EXAMPLES, SETTINGS

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
READ_BY_PROMETHEUS_CLIENT = {"PROMETHEUS_MULTIPROC_DIR"}
METRICS = {
    family.name
    for registered in vars(metrics).values()
    if isinstance(registered, Gauge)
    for family in registered.describe()
}
SECRETS = re.compile(r"SECRET|PASSWORD|TOKEN|API_KEY|CREDENTIAL")
REQUIRED_FROM_OUTSIDE = r"\$\{[A-Z_]+:\?[^}]+\}"
Compose = dict[str, Any]


def own_services(compose: Compose) -> dict[str, Any]:
    return {name: service for name, service in compose["services"].items() if "build" in service}


def long_running(compose: Compose) -> dict[str, Any]:
    """All but the jobs, which others wait for to complete."""
    jobs = {
        target
        for service in compose["services"].values()
        for target, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully"
    }
    return {name: service for name, service in compose["services"].items() if name not in jobs}


def commands_of(service: Any) -> list[list[str]]:
    """The programs that the service runs, one after the other; without a command, the image's own."""
    command = service.get("command") or json.loads(re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)[-1])
    if command[:2] == ["sh", "-c"]:
        return [shlex.split(part) for part in command[2].split("&&")]
    return [command]


# --- the rules --------------------------------------------------------------------------------------------------------


def commands_exist(compose: Compose) -> Iterator[str]:
    for name, service in own_services(compose).items():
        for command in commands_of(service):
            if command[:2] == ["python", "manage.py"]:
                named = {command[2], *(command[4:] if command[2:4] == ["run_workers", "--only"] else ())}
                yield from (f"{name}: no management command {unknown}" for unknown in named - set(get_commands()))
            elif command[0] == "granian":
                yield from (f"{name}: {problem}" for problem in granian_problems(tuple(command)))
            else:
                yield f"{name}: runs {command[0]}, which is neither manage.py nor granian"


@lru_cache
def granian_problems(command: tuple[str, ...]) -> list[str]:
    problems = []
    module, _, attribute = command[-1].partition(":")
    importing = subprocess.run(
        [sys.executable, "-c", f"from {module} import {attribute} as app; assert callable(app)"],
        cwd=ROOT,
        env={**os.environ, "SECRET_KEY": "only for this import"},
        capture_output=True,
        text=True,
        check=False,
    )
    if importing.returncode:
        problems.append(f"{command[-1]} cannot be imported: {importing.stderr.strip().splitlines()[-1]}")
    known = subprocess.run([sys.executable, "-m", "granian", "--help"], capture_output=True, text=True, check=True)
    options = [word for word in command if word.startswith("--")]
    return problems + [f"granian has no {option}" for option in options if f"{option} " not in known.stdout]


def variables_are_read(compose: Compose) -> Iterator[str]:
    for name, service in own_services(compose).items():
        unknown = set(service["environment"]) - set(SETTINGS) - READ_BY_PROMETHEUS_CLIENT
        yield from (f"{name}: nobody reads {variable}" for variable in unknown)


def references_are_explained(compose: Compose) -> Iterator[str]:
    for variable in set(re.findall(r"\$\{?([A-Z_]+)", json.dumps(compose))) - set(EXAMPLES):
        yield f"{variable} is not in .env.example"


def dependencies_exist(compose: Compose) -> Iterator[str]:
    services = compose["services"]
    for name, service in services.items():
        for target, how in service.get("depends_on", {}).items():
            if target not in services:
                yield f"{name}: depends on {target}, which is no service"
            elif how["condition"] == "service_healthy" and "healthcheck" not in services[target]:
                yield f"{name}: waits for the health of {target}, which has no check"


def everything_waits_for_the_setup(compose: Compose) -> Iterator[str]:
    completed, healthy = {"condition": "service_completed_successfully"}, {"condition": "service_healthy"}
    for name, service in own_services(compose).items():
        needed = {"setup": completed} if name != "setup" else {"kafka": healthy, "postgres": healthy}
        if service.get("depends_on") != needed:
            yield f"{name}: does not wait for {', '.join(needed)}"


def what_runs_is_watched(compose: Compose) -> Iterator[str]:
    for name, service in long_running(compose).items():
        if not service.get("healthcheck", {}).get("test"):
            yield f"{name}: has no health check"
        if service.get("restart") not in {"always", "unless-stopped"}:
            yield f"{name}: is not started again"
    for name, service in compose["services"].items():
        if name in long_running(compose) and int(service.get("stop_grace_period", "0s").rstrip("s")) < 15:
            yield f"{name}: has less than 15 s to stop in"


def health_is_asked_where_it_is_told(compose: Compose) -> Iterator[str]:
    for name, service in own_services(compose).items():
        test = service.get("healthcheck", {}).get("test")
        if not test:
            continue
        if test[:2] != ["CMD", "python"] or not (ROOT / test[2]).is_file() or test[2] not in DOCKERFILE:
            yield f"{name}: the image has no {test[2]}"
        if len(test) > 4 and test[4] not in METRICS:
            yield f"{name}: no worker writes {test[4]}"
        port = service["environment"].get("METRICS_PORT", "8000")
        if f":{port}/" not in test[3]:
            yield f"{name}: is asked at {test[3]}, but serves at {port}"


def no_secret_stands_in_it(compose: Compose) -> Iterator[str]:
    for name, service in compose["services"].items():
        for variable, value in service.get("environment", {}).items():
            passwords = re.findall(r"://[^:/@]+:([^@]+)@", re.sub(r"(\$\{[A-Z_]+):[^}]*\}", r"\1}", str(value)))
            if SECRETS.search(variable) and not re.fullmatch(REQUIRED_FROM_OUTSIDE, str(value)):
                yield f"{name}: {variable} is not required from outside"
            if any(not re.fullmatch(r"\$\{[A-Z_]+\}", password) for password in passwords):
                yield f"{name}: {variable} holds a password"


def images_are_pinned(compose: Compose) -> Iterator[str]:
    own = {service["image"] for service in own_services(compose).values()}
    if len(own) != 1:
        yield f"own services run several images: {sorted(own)}"
    for name, service in compose["services"].items():
        if name not in own_services(compose) and not re.search(r":\d[\w.-]*$", service["image"]):
            yield f"{name}: {service['image']} has no version"


def data_outlives_containers(compose: Compose) -> Iterator[str]:
    for name, path in (("postgres", "/var/lib/postgresql"), ("kafka", "/var/lib/kafka/data")):
        mounted = [volume.split(":") for volume in compose["services"][name].get("volumes", ())]
        volumes = {mount: volume for volume, mount in mounted}
        if volumes.get(path) not in compose["volumes"]:
            yield f"{name}: {path} is on no named volume"
    kafka = compose["services"]["kafka"]["environment"]
    if kafka["KAFKA_LOG_DIRS"] != "/var/lib/kafka/data":
        yield "kafka: writes elsewhere than on its volume"


def one_broker_is_asked_for_one_copy(compose: Compose) -> Iterator[str]:
    for name, service in own_services(compose).items():
        for variable in ("TOPIC_REPLICATION_FACTOR", "TOPIC_MIN_INSYNC_REPLICAS"):
            if service["environment"].get(variable) != "1":
                yield f"{name}: {variable} is not 1"


def every_worker_has_a_service(compose: Compose) -> Iterator[str]:
    run = [word for s in own_services(compose).values() for command in commands_of(s) for word in command]
    yield from (f"nobody runs {worker}" for worker in WORKERS if run.count(worker) != 1)


Spoil = Callable[[Compose], Any]
RULES: dict[Callable[[Compose], Iterator[str]], list[Spoil]] = {
    commands_exist: [
        lambda c: c["services"]["setup"].update(
            command=["sh", "-c", "python manage.py migrate && python manage.py no"]
        ),
        lambda c: c["services"]["orchestrator"]["command"].append("no_worker"),
        lambda c: c["services"]["api"].update(command=["granian", "portfolio.wsgi:no_application"]),
        lambda c: c["services"]["api"].update(command=["granian", "--no-option", "portfolio.wsgi:application"]),
        lambda c: c["services"]["api"].update(command=["gunicorn"]),
    ],
    variables_are_read: [lambda c: c["services"]["api"]["environment"].update(DATABSE_URL="x")],
    references_are_explained: [lambda c: c["services"]["kafka"].update(image="apache/kafka:${KAFKA_VERSION}")],
    dependencies_exist: [
        lambda c: c["services"].pop("setup"),
        lambda c: c["services"]["postgres"].pop("healthcheck"),
    ],
    everything_waits_for_the_setup: [lambda c: c["services"]["api"].pop("depends_on")],
    what_runs_is_watched: [
        lambda c: c["services"]["orchestrator"].pop("healthcheck"),
        lambda c: c["services"]["kafka"].update(restart="no"),
        lambda c: c["services"]["api"].update(stop_grace_period="10s"),
        lambda c: c["services"]["postgres"].pop("stop_grace_period"),
    ],
    health_is_asked_where_it_is_told: [
        lambda c: c["services"]["api"]["healthcheck"]["test"].__setitem__(2, "deploy/no.py"),
        lambda c: c["services"]["orchestrator"]["healthcheck"]["test"].__setitem__(4, "no_metric"),
        lambda c: c["services"]["orchestrator"]["environment"].update(METRICS_PORT="9200"),
    ],
    no_secret_stands_in_it: [
        lambda c: c["services"]["postgres"]["environment"].update(POSTGRES_PASSWORD="hunter2"),
        lambda c: c["services"]["api"]["environment"].update(SECRET_KEY="${SECRET_KEY:-changeme}"),
        lambda c: c["services"]["api"]["environment"].update(DATABASE_URL="postgres://portfolio:hunter2@postgres/p"),
    ],
    images_are_pinned: [
        lambda c: c["services"]["postgres"].update(image="postgres:latest"),
        lambda c: c["services"]["kafka"].update(image="apache/kafka"),
        lambda c: c["services"]["api"].update(image="another:local"),
    ],
    data_outlives_containers: [
        lambda c: c["services"]["postgres"].update(volumes=["postgres-data:/var/lib/postgresql/data"]),
        lambda c: c["volumes"].pop("kafka-data"),
        lambda c: c["services"]["kafka"]["environment"].update(KAFKA_LOG_DIRS="/tmp/kafka"),
    ],
    one_broker_is_asked_for_one_copy: [lambda c: c["services"]["setup"]["environment"].pop("TOPIC_REPLICATION_FACTOR")],
    every_worker_has_a_service: [
        lambda c: c["services"].pop("calculate-positions"),
        lambda c: c["services"].pop("calculate-valuations"),
    ],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_compose_file_keeps_the_rule(rule):
    assert list(rule(COMPOSE)) == []


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        pytest.param(rule, spoil, id=f"{rule.__name__}-{number}")
        for rule, spoils in RULES.items()
        for number, spoil in enumerate(spoils)
    ],
)
def test_a_compose_file_that_breaks_the_rule_is_noticed(rule, spoil):
    spoilt = copy.deepcopy(COMPOSE)
    spoil(spoilt)
    assert set(rule(spoilt)) - set(rule(COMPOSE))


# --- the specification ------------------------------------------------------------------------------------------------


def against_the_specification(path: Path) -> subprocess.CompletedProcess[str]:
    """The Compose Specification's own schema, as check-jsonschema carries it; nothing is fetched."""
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_compose_file_follows_the_specification():
    checked = against_the_specification(ROOT / "docker-compose.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_compose_file_against_the_specification_is_noticed(tmp_path):
    spoilt = tmp_path / "docker-compose.yml"
    spoilt.write_text((ROOT / "docker-compose.yml").read_text().replace("    ports: [", "    port: ["))
    checked = against_the_specification(spoilt)
    assert checked.returncode == 1
    assert "'port' was unexpected" in checked.stdout
