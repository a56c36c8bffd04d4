"""The image that the Dockerfile makes, as far as it can be seen without Docker, and the health check that is in it."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_what_the_image_is_made_of_is_there_and_reaches_the_builder():
    copied = re.findall(r"^COPY (?!--from)(\S+) \S+$", DOCKERFILE, re.MULTILINE)
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert set(copied) == let_in


def test_every_app_is_in_the_image(settings):
    own = {app for app in settings.INSTALLED_APPS if (ROOT / app).is_dir()}
    assert own
    assert own <= set(re.findall(r"^COPY (\w+) \1/$", DOCKERFILE, re.MULTILINE))


def test_the_image_runs_as_nobody_special_with_what_the_lock_holds():
    final = DOCKERFILE.split("FROM ")[-1]
    assert re.search(r"^USER (?!root|0)", final, re.MULTILINE)
    assert "--require-hashes" in DOCKERFILE
    assert all(re.search(r":\d", base) for base in re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    assert not re.search(r"^(ARG|ENV).*(SECRET|PASSWORD)", DOCKERFILE, re.MULTILINE)


# --- the health check -------------------------------------------------------------------------------------------------


@pytest.fixture
def served():
    """A server whose answer is set by the test: (status, body)."""

    class Handler(BaseHTTPRequestHandler):
        answer = (200, "")

        def do_GET(self):
            self.send_response(self.answer[0])
            self.end_headers()
            self.wfile.write(self.answer[1].encode())

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield Handler, f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def healthcheck(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "deploy/healthcheck.py", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("status", "exit_code"), [(200, 0), (503, 1)])
def test_the_api_is_well_when_it_says_so(served, status, exit_code):
    handler, url = served
    handler.answer = (status, "")
    assert healthcheck(url).returncode == exit_code


@pytest.mark.parametrize(("ages_s", "exit_code"), [((1,), 0), ((1, 100), 1), ((), 1)])
def test_a_worker_is_well_while_its_heart_beats(served, ages_s, exit_code):
    handler, url = served
    beats = [f'heart_timestamp_seconds{{worker="{number}"}} {time.time() - age}' for number, age in enumerate(ages_s)]
    handler.answer = (200, "\n".join(["# TYPE heart_timestamp_seconds gauge", *beats, "other 1.0"]))
    assert healthcheck(url, "heart_timestamp_seconds", "60").returncode == exit_code


def test_what_does_not_answer_is_not_well():
    checked = healthcheck("http://127.0.0.1:1/")
    assert checked.returncode == 1
    assert "not well" in checked.stderr
