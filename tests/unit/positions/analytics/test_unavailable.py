"""What stands in the place of a figure."""

from __future__ import annotations

import pytest

from positions.analytics.unavailable import DETAILS, Unavailable, unavailable


def test_a_code_brings_its_sentence():
    assert unavailable("NO_ROOT") == Unavailable("NO_ROOT", DETAILS["NO_ROOT"])


def test_a_better_sentence_is_kept():
    assert unavailable("NO_BENCHMARK", "the weights of May add up to 0.4").detail == "the weights of May add up to 0.4"


def test_a_code_nobody_has_defined_is_an_error():
    with pytest.raises(KeyError):
        unavailable("NO_IDEA")
