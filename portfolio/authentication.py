"""Tokens: looked up in the database at most once in `TOKEN_CACHE_S` seconds by each process.

A single post is acknowledged in a few milliseconds, and the look-up of its token would be a good part of them. So a
token deleted, a user disabled or a permission taken away is honoured after at most that time; 0 asks every time.
"""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from rest_framework.authentication import TokenAuthentication

TOKENS_KEPT_MAX = 10_000

_recent: dict[str, tuple[float, Any, Any]] = {}


class RecentTokenAuthentication(TokenAuthentication):
    """`Authorization: Token ..`, remembered for a moment."""

    def authenticate_credentials(self, key: str) -> tuple[Any, Any]:
        """The user and the token. Raises AuthenticationFailed; what fails is never remembered."""
        now_s = time.monotonic()
        known = _recent.get(key)
        if known and known[0] > now_s:
            return known[1], known[2]
        user, token = super().authenticate_credentials(key)
        if len(_recent) >= TOKENS_KEPT_MAX:
            _recent.clear()
        _recent[key] = (now_s + settings.TOKEN_CACHE_S, user, token)
        return user, token


def forget_tokens() -> None:
    """Ask the database again for every token."""
    _recent.clear()
