"""The examples of docs/analytics.md are run: requests with their answers, and days with their returns."""

from __future__ import annotations

import datetime
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from positions.analytics.days import Day
from positions.analytics.money_weighted import money_weighted_return
from positions.analytics.returns import FlowTiming, modified_dietz, time_weighted_return
from positions.evaluation import evaluate

D = Decimal
GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "analytics.md").read_text()
TODAY = datetime.date(2026, 1, 1)


def pairs(question: str, answer: str) -> list[tuple[str, str]]:
    """The blocks of one kind, each with the first block of the other kind after it."""
    pattern = rf"^```{question}\n(.*?)^```$.*?^```{answer}\n(.*?)^```$"
    return re.findall(pattern, GUIDE, flags=re.MULTILINE | re.DOTALL)


def is_near(told: str, found: Any) -> bool:
    """Whether a figure is the number told, to as many decimals as it is told with."""
    decimals = len(told.partition(".")[2])
    return abs(D(str(found)) - D(told)) <= D(1).scaleb(-decimals) / 2


def is_told(told: Any, found: Any) -> bool:
    """Whether an answer says what is told of it; it may say more."""
    match told:
        case dict():
            return isinstance(found, dict) and all(name in found and is_told(told[name], found[name]) for name in told)
        case list():
            return len(told) == len(found) and all(is_told(one, other) for one, other in zip(told, found, strict=True))
        case str() if re.fullmatch(r"-?\d+\.\d{3,}", told) and isinstance(found, str):
            return is_near(told, found)
    return bool(told == found)


def a_day(line: str) -> Day:
    date, value, *rest = line.split()
    flows = dict(zip(rest[::2], rest[1::2], strict=True))
    inflow, outflow = D(flows.get("in", "0")), D(flows.get("out", "0"))
    return Day(datetime.date.fromisoformat(date), D(value), inflow=inflow, outflow=outflow)


def figure(name: str, timing: str, days: list[Day]) -> Any:
    if name == "modified_dietz":
        return modified_dietz(days)
    if name.startswith("money"):
        return getattr(money_weighted_return(days), name)
    return getattr(time_weighted_return(days, flow_timing=FlowTiming(timing or "start_in_end_out")), name)


@pytest.mark.parametrize(("request_text", "answer_text"), pairs("request", "answer"))
def test_a_request_is_answered_as_the_guide_says(request_text, answer_text):
    found = json.loads(json.dumps(evaluate(request_text.encode(), today=TODAY), default=str))
    told = json.loads(answer_text)

    assert is_told(told, found), found["statement"] if "statement" in told else found["performance"]


@pytest.mark.parametrize(("days_text", "returns_text"), pairs("days", "returns"))
def test_days_return_what_the_guide_says(days_text, returns_text):
    days = [a_day(line) for line in days_text.splitlines()]
    for line in returns_text.splitlines():
        name_and_timing, told = line.split(": ")
        name, _, timing = name_and_timing.partition(" ")
        assert is_near(told, figure(name, timing, days)), (line, figure(name, timing, days))


def test_the_guide_has_examples_and_what_is_wrong_is_found_out():
    assert (len(pairs("request", "answer")), len(pairs("days", "returns"))) >= (2, 3)
    assert not is_told({"a": [{"b": "0.1234"}]}, {"a": [{"b": "0.1235"}], "c": "1"})
    assert is_told({"a": [{"b": "0.1234"}]}, {"a": [{"b": "0.12344999"}], "c": "1"})
