"""Records of texts: a form's inputs and a row's cells, made into the JSON that validation reads; no framework.

A text stands for what it spells where the field wants a whole number, a truth value or a list; what does not spell one
stays a text, for validation to name. Decimals and dates travel as texts anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

import msgspec
from msgspec import inspect

from portfolio.streaming.messages import Submission


def record_from_texts(submission_type: type[Submission], cells: Mapping[str, str]) -> bytes:
    """One record as JSON, of texts by field name. Empty ones are left out."""
    spellings = _spellings(submission_type)
    record: dict[str, Any] = {}
    for name, text in cells.items():
        if text != "":
            spelled = spellings[name](text) if name in spellings else None
            record[name] = text if spelled is None else msgspec.Raw(spelled.encode())
    return msgspec.json.encode(record)


def _truth(text: str) -> str | None:
    return text.lower() if text.lower() in ("true", "false") else None


def _integer(text: str) -> str | None:
    return text if text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") else None


def _list(text: str) -> str | None:
    try:
        return text if isinstance(msgspec.json.decode(text), list) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


_BY_KIND: dict[type, Callable[[str], str | None]] = {
    inspect.IntType: _integer,
    inspect.BoolType: _truth,
    inspect.VarTupleType: _list,
}


@lru_cache
def _spellings(submission_type: type[Submission]) -> dict[str, Callable[[str], str | None]]:
    found = {}
    for field in cast(inspect.StructType, inspect.type_info(submission_type)).fields:
        described: Any = field.type
        while isinstance(described, inspect.Metadata):
            described = described.type
        if type(described) in _BY_KIND:
            found[field.encode_name] = _BY_KIND[type(described)]
    return found
