"""What all tests share. The servers are started by `tests.servers`."""

from __future__ import annotations

import os

import pytest

from ingestion.permission import forget_leaves
from portfolio.authentication import forget_tokens
from positions.calculating.market import market
from positions.variants.believed import forget_tables
from positions.variants.booked import forget_variants


@pytest.fixture(scope="session")
def kafka_bootstrap_servers() -> str:
    """The broker's address."""
    return os.environ["KAFKA_BOOTSTRAP_SERVERS"]


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Every test starts with nothing remembered: another test's database is another database."""
    market.forget()
    forget_tables()
    forget_variants()
    forget_tokens()
    forget_leaves()
