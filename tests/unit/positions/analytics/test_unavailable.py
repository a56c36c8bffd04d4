"""What stands in the place of a figure."""

from __future__ import annotations

import pytest
from drf_spectacular.drainage import get_override

from positions.analytics.unavailable import DETAILS, Unavailable, unavailable
from positions.api.serializers import FigureField


def test_a_code_brings_its_sentence():
    assert unavailable("NO_ROOT") == Unavailable("NO_ROOT", DETAILS["NO_ROOT"])


def test_the_schema_names_every_code_that_may_stand_in_the_place_of_a_figure():
    described = get_override(FigureField, "field")["oneOf"]

    assert described[1]["properties"]["unavailable"] == {"type": "string", "enum": list(DETAILS)}


def test_a_better_sentence_is_kept():
    assert unavailable("NO_BENCHMARK", "the weights of May add up to 0.4").detail == "the weights of May add up to 0.4"


def test_a_code_nobody_has_defined_is_an_error():
    with pytest.raises(KeyError):
        unavailable("NO_IDEA")
