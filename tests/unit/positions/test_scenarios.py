"""The scenario files: histories and the figures they must give, the arithmetic by hand written above each.

tests/scenarios/README.md explains the language. Every scenario is evaluated in the words of the API, once in the order
written and once turned round, since the order of arrival never changes a result.
"""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from portfolio.validation import Refused
from positions.engine.booking import BOOKINGS
from positions.evaluation import evaluate

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "tests" / "scenarios"

# --- the language -------------------------------------------------------------------------------------------------

_NUMBER = r"[0-9][0-9,]*(?:\.[0-9]+)?"
_MONEY = re.compile(
    rf"(?:(?P<quantity>{_NUMBER}) (?P<held>\S+)(?: @ (?P<price>{_NUMBER}))?(?: for (?P<gross>{_NUMBER}))?"
    rf"|(?P<split>\S+) (?P<new>{_NUMBER}):(?P<old>{_NUMBER})"
    rf"|(?:(?P<paid>[A-Z]\S*) )?(?P<amount>{_NUMBER})"
    r"|(?P<named>[A-Z]\S*)"
    r") (?P<currency>[A-Z]{3})"
)
_FIELDS_OF_MONEY = {
    "quantity": "quantity",
    "held": "security_id",
    "price": "price",
    "gross": "gross_transaction_amount",
    "split": "security_id",
    "new": "ratio_new",
    "old": "ratio_old",
    "paid": "security_id",
    "named": "security_id",
    "amount": "gross_transaction_amount",
    "currency": "currency",
}
_OPTIONS = {
    "fee": "trade_fee",
    "tax": "tax",
    "rate": "transaction_fx_rate",
    "version": "version",
    "into": "target_security_id",
    "fraction": "cost_fraction",
    "cash": "gross_transaction_amount",
    "bought": "target_amount",
    "in": "target_currency",
    "linked": "linked_transaction_id",
    "of": "linked_portfolio_id",
    "acquired": "acquisition_date",
    "lots": "lots",
}
_INPUTS = ("portfolio", "instrument", "price", "rate")
_TRANSACTIONS = ("before", "apply")
_CHECKS = ("after", "disposals", "cash", "lots", "totals", "exceptions", "refused")


@dataclass(frozen=True, slots=True)
class Check:
    """What a section says: of a day's answer, each line a name and the figures it must have."""

    section: str
    as_of: str
    lines: list[tuple[str, dict[str, str]]]


@dataclass(slots=True)
class Scenario:
    """A request of `evaluate` and what its answers must say."""

    name: str
    text: str
    methods: list[str] = field(default_factory=lambda: ["FIFO"])
    portfolio: dict[str, Any] = field(default_factory=lambda: {"base_currency": "USD"})
    instruments: list[dict[str, Any]] = field(default_factory=list)
    prices: list[dict[str, Any]] = field(default_factory=list)
    rates: list[dict[str, Any]] = field(default_factory=list)
    transactions: list[dict[str, Any]] = field(default_factory=list)
    applied: set[str] = field(default_factory=set)
    checks: list[Check] = field(default_factory=list)


def scenarios_in(text: str) -> Iterator[Scenario]:
    """The scenarios of a file or of a block of a document."""
    for part in re.split(r"^(?=scenario: )", text, flags=re.MULTILINE)[1:]:
        # What stands above the next scenario's name is its own arithmetic.
        yield _scenario(re.sub(r"(\n#[^\n]*)+\s*\Z", "", part).rstrip())


def _scenario(text: str) -> Scenario:
    lines = [line.split("#")[0].rstrip() for line in text.splitlines()]
    scenario = Scenario(lines[0].removeprefix("scenario: "), text)
    section, as_of = "", ""
    for line in filter(None, lines[1:]):
        word, _, rest = line.partition(": ")
        if line.startswith(" "):
            if section in _TRANSACTIONS:
                made = _transaction(line.split())
                scenario.transactions.append(made)
                as_of = max(as_of, made["transaction_date"][:10])
                if section == "apply":
                    scenario.applied.add(made["transaction_id"])
            else:
                scenario.checks[-1].lines.append(_figures(line.strip()))
        elif word in _INPUTS and rest:
            _input(scenario, word, rest)
        else:
            section, *day = line.split()
            assert section in (*_TRANSACTIONS, *_CHECKS), f"{line!r} begins no section"
            as_of = day[0] if day else as_of
            if section in _CHECKS:
                scenario.checks.append(Check(section, as_of, []))
    return scenario


def _input(scenario: Scenario, word: str, rest: str) -> None:
    words = rest.split()
    if word == "portfolio":
        settings = dict(part.split(" ", 1) for part in rest.split(", "))
        scenario.methods = settings.pop("method", "FIFO").split(" and ")
        scenario.portfolio = {"base_currency": settings.pop("base")}
        scenario.portfolio |= {k: v == "yes" if v in ("yes", "no") else v for k, v in settings.items()}
    elif word == "instrument":
        instrument = {"security_id": words[0], "currency": words[1]}
        scenario.instruments.append(instrument | ({"price_factor": words[3]} if len(words) > 2 else {}))
    elif word == "price":
        price = {"security_id": words[0], "price_date": words[1], "price": words[2], "currency": words[3]}
        scenario.prices.append(price | ({"version": int(words[5])} if len(words) > 4 else {}))
    else:
        pair = dict(zip(("from_currency", "to_currency"), words[0].split("/"), strict=True))
        scenario.rates.append(pair | {"rate_date": words[1], "rate": words[2]})


def _transaction(words: list[str]) -> dict[str, Any]:
    date, transaction_id, transaction_type, *rest = words
    made: dict[str, Any] = {
        "transaction_date": date,
        "transaction_id": transaction_id,
        "transaction_type": transaction_type,
    }
    if rest[-1:] == ["cancelled"]:
        made["status"] = "CANCELLED"
        rest.pop()
    while len(rest) > 2 and rest[-2] in _OPTIONS:
        option, value = rest[-2:]
        made[_OPTIONS[option]] = _option(option, value)
        del rest[-2:]
    found = _MONEY.fullmatch(" ".join(rest))
    assert found, f"{' '.join(words)!r} is no transaction"
    for group, name in _FIELDS_OF_MONEY.items():
        if found[group] is not None:
            made[name] = found[group] if name in ("security_id", "currency") else found[group].replace(",", "")
    return made


def _option(option: str, value: str) -> Any:
    if option == "version":
        return int(value)
    if option == "lots":
        pairs = (lot.split(":") for lot in value.split("+"))
        return [{"transaction_id": opening, "quantity": quantity} for opening, quantity in pairs]
    return value.replace(",", "")


def _figures(line: str) -> tuple[str, dict[str, str]]:
    if line == "none":
        return "none", {}
    name, _, figures = line.partition(": ")
    return name, dict(part.split(" ", 1) for part in figures.split(", ")) if figures else {}


# --- the runner ---------------------------------------------------------------------------------------------------


def answer_to(scenario: Scenario, *, method: str, as_of: str, turned_round: bool) -> dict[str, Any]:
    request = {
        "portfolio": scenario.portfolio | {"cost_basis_method": method},
        "transactions": scenario.transactions[:: -1 if turned_round else 1],
        "instruments": scenario.instruments,
        "market_prices": scenario.prices,
        "fx_rates": scenario.rates,
        "as_of": as_of,
    }
    return evaluate(json.dumps(request).encode(), today=datetime.date(2030, 1, 1))


def found_by_name(check: Check, scenario: Scenario, answer: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What the answer has in the place of a section: figures by the name that the section calls them."""
    match check.section:
        case "after":
            held = [p for p in answer["positions"] if p["quantity"] != "0"]
            named = {name for name, _ in check.lines}
            return {p["security_id"]: p for p in answer["positions"] if p in held or p["security_id"] in named}
        case "disposals":
            made = [d for d in answer["disposals"] if d["closing_transaction_id"] in scenario.applied]
            names = [f"{d['opening_transaction_id'] or 'nothing'} by {d['closing_transaction_id']}" for d in made]
            return dict(zip(names, made, strict=True))
        case "cash":
            return {c["currency"]: c for c in answer["cash"]}
        case "lots":
            return {f"{lot['security_id']} {lot['transaction_id']}": lot for lot in answer["lots"]}
        case "totals":
            return {"portfolio": answer["totals"]}
    return {f"{e['code']} {e['transaction_id']}": e for e in answer["exceptions"]}


def differences(check: Check, found: dict[str, dict[str, Any]]) -> Iterator[str]:
    expected = {name: figures for name, figures in check.lines if name != "none"}
    if expected.keys() != found.keys():
        yield f"{check.section}: expected {sorted(expected)}, found {sorted(found)}"
        return
    for name, figures in expected.items():
        for figure, value in figures.items():
            if not same(value, found[name][figure]):
                yield f"{check.section} {check.as_of}, {name}: {figure} {value} expected, found {found[name][figure]}"


def same(expected: str, found: Any) -> bool:
    if isinstance(found, dict):
        return expected == f"unavailable {found['unavailable']}"
    if isinstance(found, list):
        return found == ([] if expected == "none" else expected.split())
    if found is None:
        return expected == "none"
    if re.fullmatch(rf"-?{_NUMBER}", expected):
        return Decimal(expected.replace(",", "")) == Decimal(found)
    return expected == str(found)


FILES = sorted(FOLDER.glob("*.txt"))
SCENARIOS = [scenario for path in FILES for scenario in scenarios_in(path.read_text())]


@pytest.mark.parametrize("turned_round", [False, True], ids=["as written", "turned round"])
@pytest.mark.parametrize("scenario", [pytest.param(s, id=s.name) for s in SCENARIOS])
def test_the_scenario_holds(scenario, turned_round):
    wrong = []
    for method in scenario.methods:
        for check in scenario.checks:
            options = {"method": method, "as_of": check.as_of, "turned_round": turned_round}
            if check.section == "refused":
                with pytest.raises(Refused) as refusal:
                    answer_to(scenario, **options)
                found = {problem.code: {"detail": problem.detail} for problem in refusal.value.problems}
            else:
                found = found_by_name(check, scenario, answer_to(scenario, **options))
            wrong += [f"{method}: {difference}" for difference in differences(check, found)]

    assert not wrong, "\n".join(wrong)


def test_every_type_that_is_booked_has_a_scenario_under_either_method():
    seen = {(t["transaction_type"], method) for s in SCENARIOS for t in s.transactions for method in s.methods}

    assert seen >= {(booked, method) for booked in BOOKINGS for method in ("FIFO", "AVCO")}


def test_names_of_scenarios_are_their_own():
    names = [scenario.name for scenario in SCENARIOS]

    assert len(names) == len(set(names))


def test_a_scenario_that_is_wrong_is_found_out():
    text = """scenario: wrong
before
  2025-01-02 T1 BUY 10 AAPL @ 100 USD
after
  AAPL: quantity 11
"""
    (scenario,) = scenarios_in(text)
    answer = answer_to(scenario, method="FIFO", as_of="2025-01-02", turned_round=False)

    (difference,) = differences(scenario.checks[0], found_by_name(scenario.checks[0], scenario, answer))
    assert "quantity 11 expected, found 10" in difference


def test_the_examples_of_the_accounting_guide_are_scenarios_that_run():
    guide = (ROOT / "docs" / "accounting.md").read_text()
    examples = re.findall(r"^```scenario\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL)
    files = "\n".join(path.read_text() for path in FILES)

    assert len(examples) >= 10
    assert [example for example in examples if example.strip() not in files] == []
    assert all(scenario.checks for example in examples for scenario in scenarios_in(example))
