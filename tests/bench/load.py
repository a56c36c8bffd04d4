"""The load generator: posts over several connections at once, each answered before the next is sent on it.

    python -m tests.bench.load PORT TOKEN CONNECTIONS SECONDS FIRST_NUMBER

A process of its own and as little Python a post as can be, since it takes its time from the same cores. Prints one JSON
object: posts, seconds, latencies in seconds of every post, and answers other than 201 by status.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass

PATH = "/ingest/transaction"
BODY = (
    '{"transaction_id": "TRN%09d", "portfolio_id": "PORT%05d", "security_id": "SEC%04d", '
    '"transaction_date": "2025-01-15T10:30:00Z", "transaction_type": "BUY", "quantity": "10.5", "price": "150.25", '
    '"currency": "USD", "trade_fee": "5.00"}'
)
PORTFOLIOS = 1_000
SECURITIES = 300
ANSWER_BYTES_MAX = 65_536


@dataclass(slots=True)
class Connection:
    """One connection, and since when its post is on the way."""

    socket: socket.socket
    sent_at: float = 0.0
    received: bytes = b""


def main() -> None:
    port, token = int(sys.argv[1]), sys.argv[2]
    connections, seconds, count = int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Token {token}\r\n"
        "Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: "
    )
    latencies: list[float] = []
    refused: dict[str, int] = {}

    def post(connection: Connection) -> None:
        nonlocal count
        count += 1
        body = BODY % (count, count % PORTFOLIOS, count % SECURITIES)
        connection.received = b""
        connection.sent_at = time.perf_counter()
        connection.socket.sendall(f"{head}{len(body)}\r\n\r\n{body}".encode())

    selector = selectors.DefaultSelector()
    for _ in range(connections):
        opened = socket.create_connection(("127.0.0.1", port))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(opened, selectors.EVENT_READ, Connection(opened))
    started_at = time.perf_counter()
    ends_at = started_at + seconds
    for key in list(selector.get_map().values()):
        post(key.data)
    while selector.get_map():
        for key, _ in selector.select():
            connection = key.data
            connection.received += connection.socket.recv(ANSWER_BYTES_MAX)
            if not _is_whole(connection.received):
                continue
            now = time.perf_counter()
            latencies.append(now - connection.sent_at)
            status = connection.received[9:12].decode()
            if status != "201":
                refused[status] = refused.get(status, 0) + 1
            if now < ends_at:
                post(connection)
            else:
                selector.unregister(connection.socket)
                connection.socket.close()
    json.dump(
        {
            "posts": len(latencies),
            "seconds": time.perf_counter() - started_at,
            "latencies": latencies,
            "refused": refused,
        },
        sys.stdout,
    )


def _is_whole(answer: bytes) -> bool:
    """Whether head and body are there. An answer that has ended too early (closed) counts as refused."""
    if not answer:
        return True
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, _, rest = head.lower().partition(b"content-length:")
    return len(body) >= int(rest.split(b"\r\n", 1)[0] or 0)


if __name__ == "__main__":
    main()
