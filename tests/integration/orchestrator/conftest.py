"""What these tests leave out unless they are about it: the moment for which values wait after each positions done."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _no_quiet_moment(settings: Any) -> None:
    settings.VALUATIONS_QUIET_S = 0.0
