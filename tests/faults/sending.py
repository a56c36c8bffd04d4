"""A client that does what a client must do: whatever was not answered 201 is sent again, the same, until it is."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from collections import Counter
from typing import Self

from portfolio.client import Client, Refusal
from tests.faults.flow import Flow
from tests.system import eventually

SENDERS = 3
REPEAT_PAUSE_S = 0.3
AWAY = (503, "no answer")
"""What is repeated: the service says that something is away, or says nothing at all."""


class Sending:
    """A flow on its way through HTTP, by several threads. `met` counts the answers, by status."""

    def __init__(self, client: Client, flow: Flow) -> None:
        self.met: Counter[int | str] = Counter()
        self.flow = flow
        self._client = client
        self._bodies: queue.SimpleQueue[tuple[str, bytes, str]] = queue.SimpleQueue()
        for body in flow.bodies():
            self._bodies.put(body)
        self._total = self._bodies.qsize()
        self._is_ending = threading.Event()
        self._threads = [threading.Thread(target=self._send_all, name=f"sender-{n}") for n in range(SENDERS)]

    def __enter__(self) -> Self:
        for entity, records in self.flow.reference.items():
            body = json.dumps({entity.replace("-", "_"): records}).encode()
            self._until_accepted(f"/ingest/{entity}", body, "application/json")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_ending.set()
        for thread in self._threads:
            thread.join()

    @property
    def accepted(self) -> int:
        """How many requests were answered 201."""
        return self.met[201]

    def reaches(self, share: float) -> None:
        """Wait until this share of the requests is accepted."""
        eventually(
            lambda: self.accepted >= share * self._total,
            timeout_s=90,
            what=f"{share:.0%} of {self._total} requests; answers so far: {dict(self.met)}",
            pause_s=0.01,
        )

    def ends(self) -> None:
        """Wait until everything is accepted."""
        self.reaches(1)
        for thread in self._threads:
            thread.join()
        refused = {status for status in self.met if status != 201 and status not in AWAY}
        assert not refused, f"answers nobody should get: {dict(self.met)}"

    def _send_all(self) -> None:
        while not self._is_ending.is_set():
            try:
                body = self._bodies.get_nowait()
            except queue.Empty:
                return
            self._until_accepted(*body)

    def _until_accepted(self, path: str, body: bytes, content_type: str) -> None:
        while not self._is_ending.is_set():
            try:
                answer = self._client.post(path, body, content_type)
            except Refusal as refusal:
                self.met[refusal.status] += 1
                if refusal.status not in AWAY:
                    print(f"sender | {refusal}")
            except (OSError, http.client.HTTPException):
                self.met["no answer"] += 1
            else:
                self.met[201 if not answer.get("rejected") else 207] += 1
                return
            time.sleep(REPEAT_PAUSE_S)
