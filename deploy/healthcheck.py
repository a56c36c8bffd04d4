"""A container's own question whether it is well: exit code 0 or 1, with one line that says why.

healthcheck.py URL                          the URL answers 200
healthcheck.py URL METRIC MAX_AGE_S         and the moments that this metric holds there are not older than that

The second is for workers: a process can be there, even serve its metrics, and yet hang. Each worker writes the moment
of the latest round of its loop into a gauge, in seconds since 1970; the oldest of those found counts.
"""

from __future__ import annotations

import re
import sys
import time
import urllib.request

TIMEOUT_S = 4.0


class Unwell(Exception):
    """Why the answer is no."""


def check(url: str, metric: str = "", max_age_s: float = 0.0) -> str:
    """A line that says what was found. Raises Unwell, and OSError where nothing answers."""
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the URL is the operator's
        text = answer.read().decode()
    if not metric:
        return f"{url} answers"
    moments = [float(value) for value in re.findall(rf"^{re.escape(metric)}(?:{{.*}})? (\S+)", text, re.MULTILINE)]
    if not moments:
        raise Unwell(f"{metric} is not there: no worker has begun")
    age_s = time.time() - min(moments)
    if age_s > max_age_s:
        raise Unwell(f"{metric} is {age_s:.0f} s old, and {max_age_s:.0f} s is the limit")
    return f"{metric} is {age_s:.0f} s old"


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{check(*sys.argv[1:3], *map(float, sys.argv[3:]))}\n")
    except (OSError, Unwell) as error:
        sys.exit(f"not well: {error}")
