"""`.env.example` says of every variable what the settings say, and of none that nobody reads."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import environ
import pytest

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$")
FOR_COMPOSE_ALONE = {"POSTGRES_PASSWORD", "API_ADDRESS"}


class Setting(NamedTuple):
    name: str
    kind: str
    default: Any


def settings_read(source: str) -> dict[str, Setting]:
    """What a settings module reads: each `env.KIND("NAME", default=LITERAL)`."""
    found = {}
    for call in ast.walk(ast.parse(source)):
        match call:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="env"), attr=kind), args=[ast.Constant(value=str(name))]
            ):
                defaults = [ast.literal_eval(word.value) for word in call.keywords if word.arg == "default"]
                assert defaults, f"{name} has no default"
                found[name] = Setting(name, kind, defaults[0])
    return found


def examples_given(text: str) -> dict[str, str]:
    return {found[1]: found[2] for line in text.splitlines() if (found := VARIABLE.match(line))}


def as_read(kind: str, name: str, text: str) -> Any:
    """What the settings would make of this text in the environment."""
    env = environ.Env()
    env.ENVIRON = {name: text}
    return getattr(env, kind)(name)


def unexplained(text: str) -> Iterator[str]:
    """Variables with no sentence above them; a group of them shares one."""
    sentence_above = False
    for line in text.splitlines():
        if found := VARIABLE.match(line):
            if not sentence_above:
                yield found[1]
        else:
            sentence_above = bool(re.match(r"# [^-]", line))


SETTINGS = settings_read((ROOT / "portfolio/settings.py").read_text())
EXAMPLE = (ROOT / ".env.example").read_text()
EXAMPLES = examples_given(EXAMPLE)


def test_every_setting_is_in_the_example_and_nothing_else_is():
    assert set(EXAMPLES) == set(SETTINGS) | FOR_COMPOSE_ALONE
    assert len(SETTINGS) > 30


def test_no_variable_of_compose_is_secretly_read_by_the_settings():
    assert FOR_COMPOSE_ALONE.isdisjoint(SETTINGS)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=lambda setting: setting.name)
def test_the_default_in_the_example_is_the_one_in_the_settings(setting):
    assert as_read(setting.kind, setting.name, EXAMPLES[setting.name]) == setting.default


def test_every_variable_is_explained_above_it():
    assert list(unexplained(EXAMPLE)) == []
    assert list(unexplained("# Why.\n#A=1\n#B=2\n\n#C=3\n# --- Title\n#D=4")) == ["C", "D"]


def test_a_copy_of_the_example_changes_nothing():
    assert not [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")]


def test_a_setting_read_in_an_expression_is_found_too():
    assert settings_read('A = env.int("B_MB", default=2) * 1024') == {"B_MB": Setting("B_MB", "int", 2)}
