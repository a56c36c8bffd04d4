"""The project's settings without middleware and with one view: what the real door is compared with."""

from portfolio.settings import *  # noqa: F403 - settings of the same names, two of them replaced

MIDDLEWARE = []
ROOT_URLCONF = "tests.bench.bare_door"
