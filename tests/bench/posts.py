"""Single acknowledged posts: the real door against a handler that only parses and produces, in turns."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from tests.bench.figures import Findings, Sizes, a_second, milliseconds, quantile
from tests.bench.system import System, await_that, free_port

WARM_UP_S = 1.5
READY_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Load:
    """What the load generator has seen of one run."""

    rate: float
    latencies: list[float]


def measure(system: System, sizes: Sizes) -> Findings:
    """Post to the one and to the other."""
    system.fresh("posts")
    token = new_token()
    real, bare = free_port(), free_port()
    programs = (
        system.api(real),
        system.api(
            bare, application="tests.bench.bare_door:application", DJANGO_SETTINGS_MODULE="tests.bench.bare_settings"
        ),
    )
    to_real: list[Load] = []
    to_bare: list[Load] = []
    sent = 0
    with system.running(*programs):
        for port in (real, bare):
            _await_listening(port)
            sent += _count(_load(port, token, sizes, WARM_UP_S, sent))
        for _ in range(sizes.posts_rounds):
            for port, loads in ((bare, to_bare), (real, to_real)):
                loads.append(_load(port, token, sizes, sizes.posts_seconds, sent))
                sent += _count(loads[-1])
    ratio = median(one.rate / other.rate for one, other in zip(to_real, to_bare, strict=True))
    findings = Findings(f"Acknowledged single posts, {sizes.posts_connections} connections")
    _add(findings, "bare handler", to_bare, "1")
    _add(findings, "POST /ingest/transaction", to_real, f"{ratio:.2f} of bare")
    return findings


def new_token() -> str:
    """The token of a user who may write everything."""
    from django.contrib.auth.models import User
    from rest_framework.authtoken.models import Token

    user, _ = User.objects.get_or_create(username="bench", defaults={"is_superuser": True})
    token, _ = Token.objects.get_or_create(user=user)
    return str(token.key)


def _await_listening(port: int) -> None:
    def listens() -> bool:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return True
        return False

    await_that(listens, what=f"a server at port {port}", timeout_s=READY_TIMEOUT_S)


def _load(port: int, token: str, sizes: Sizes, seconds: float, first_number: int) -> Load:
    arguments = (port, token, sizes.posts_connections, seconds, first_number)
    command = [sys.executable, "-m", "tests.bench.load", *map(str, arguments)]
    seen = json.loads(subprocess.check_output(command, text=True))
    assert not seen["refused"], f"answers other than 201: {seen['refused']}"
    return Load(seen["posts"] / seen["seconds"], seen["latencies"])


def _count(load: Load) -> int:
    return len(load.latencies)


def _add(findings: Findings, name: str, loads: list[Load], ratio: str) -> None:
    latencies = [one for load in loads for one in load.latencies]
    findings.add(name, a_second(*(load.rate for load in loads)), ratio)
    shares = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    findings.add("  latency", ", ".join(f"{n} {milliseconds(quantile(latencies, share))}" for share, n in shares))
