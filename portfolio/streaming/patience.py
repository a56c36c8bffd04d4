"""Trying again: the same step, after pauses that double, while the consumer stays a member of its group."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error as DatabaseError
from django.db import connection

from portfolio.streaming.broker import BrokerUnavailable, Consumer
from portfolio.streaming.journal import Journal
from portfolio.streaming.pace import Pace
from portfolio.streaming.standstill import end_standing_still
from portfolio.streaming.verdicts import is_contention, passes, waited_too_long

T = TypeVar("T")


class ToldToStop(Exception):
    """The worker is to stop while it waits: what is in hand is abandoned, and comes again."""


class Patience:
    """Repeats what fails for a reason that passes. `consumer` is the member to keep, once there is one."""

    def __init__(self, *, pace: Pace, journal: Journal) -> None:
        self.consumer: Consumer | None = None
        self.is_stopping = False
        self._pace = pace
        self._journal = journal

    def again(self, step: Callable[[], T]) -> T:
        """The step's result, however often it takes.

        Raises ToldToStop in a pause, and whatever the step raises that does not pass.
        """
        pause_s, is_paused = self._pace.retry_pause_s, False
        try:
            while True:
                try:
                    return step()
                except Exception as error:
                    if not passes(error):
                        raise
                    wait_s = pause_s * (self._pace.contention_factor if is_contention(error) else 1)
                    self._journal.retry(error, wait_s)
                    stands_in_the_way = waited_too_long(error)
                _let_go_of_broken_connection()
                if stands_in_the_way:
                    self._clear_the_way()
                if self.consumer is not None and not is_paused:
                    self.consumer.pause()
                    is_paused = True
                self._wait(wait_s)
                pause_s = min(2 * pause_s, self._pace.retry_pause_max_s)
        finally:
            if self.consumer is not None and is_paused:
                self.consumer.resume()

    def _clear_the_way(self) -> None:
        try:
            self._journal.ended(end_standing_still())
        except DatabaseError as error:
            self._journal.retry(error, 0.0)

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left_s := until - time.monotonic()) > 0:
            if self.is_stopping:
                raise ToldToStop
            self._journal.alive()
            timeout_s = min(left_s, self._pace.poll_timeout_s)
            try:
                if self.consumer is None:
                    time.sleep(timeout_s)
                else:
                    self.consumer.poll(records_max=1, timeout_s=timeout_s)
            except BrokerUnavailable:
                time.sleep(timeout_s)


def _let_go_of_broken_connection() -> None:
    """Let the next attempt open a new one."""
    if connection.connection is not None and not connection.in_atomic_block and not connection.is_usable():
        connection.close()
