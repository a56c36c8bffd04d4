"""A small client of the REST API, standard library only: what the demo and the benchmarks speak through."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

REQUEST_TIMEOUT_S = 60.0


class Refusal(RuntimeError):
    """The API answered with an error."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"HTTP {status}: {body[:500]}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to the API at `address` (http://host:port) as the user of `token`."""

    address: str
    token: str

    def get(self, path: str, **query: str) -> Any:
        """The JSON answer. Raises Refusal, OSError."""
        encoded = f"?{urllib.parse.urlencode(query)}" if query else ""
        return self._answer(urllib.request.Request(f"{self.address}{path}{encoded}"))  # noqa: S310 - http, our own

    def post(self, path: str, body: bytes, content_type: str = "application/json") -> Any:
        """The JSON answer to a body sent as it is. Raises Refusal, OSError."""
        headers = {"Content-Type": content_type}
        request = urllib.request.Request(f"{self.address}{path}", data=body, headers=headers)  # noqa: S310 - as above
        return self._answer(request)

    def every(self, path: str, **query: str) -> list[Any]:
        """All results of a paginated list."""
        page = self.get(path, page_size="1000", **query)
        results = list(page["results"])
        while page["next"]:
            page = self._answer(urllib.request.Request(page["next"]))  # noqa: S310 - as above
            results += page["results"]
        return results

    def wait_until_ready(self, *, timeout_s: float) -> None:
        """Until /readyz says 200. Raises TimeoutError with what it last said."""
        until = time.monotonic() + timeout_s
        said = "no answer yet"
        while time.monotonic() < until:
            try:
                self.get("/readyz")
            except (Refusal, OSError) as error:
                said = str(error)
            else:
                return
            time.sleep(0.1)
        raise TimeoutError(f"the API at {self.address} is not ready after {timeout_s:.0f} s: {said}")

    def _answer(self, request: urllib.request.Request) -> Any:
        request.add_header("Accept", "application/json")
        if self.token:
            request.add_header("Authorization", f"Token {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_S) as reply:  # noqa: S310 - as above
                return json.loads(reply.read())
        except urllib.error.HTTPError as error:
            raise Refusal(error.code, error.read().decode(errors="replace")) from error
