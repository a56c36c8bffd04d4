"""Nothing is served without a key of its own."""

from __future__ import annotations

import importlib

import pytest

from portfolio import wsgi


def test_without_a_secret_key_the_process_refuses_with_one_sentence(settings):
    settings.SECRET_KEY_IS_EPHEMERAL = True
    with pytest.raises(SystemExit, match=r"^SECRET_KEY is not set: [^.\n]+\.$"):
        importlib.reload(wsgi)


def test_with_one_it_serves(settings):
    settings.SECRET_KEY_IS_EPHEMERAL = False
    assert callable(importlib.reload(wsgi).application)
