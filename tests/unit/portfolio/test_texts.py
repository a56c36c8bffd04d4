"""A form's inputs and a row's cells become the JSON they spell."""

from __future__ import annotations

import pytest

from portfolio.streaming.messages import SubmittedPortfolio, SubmittedTransaction
from portfolio.texts import record_from_texts


@pytest.mark.parametrize(
    ("submission_type", "cells", "record"),
    [
        (SubmittedTransaction, {"quantity": "10.5", "note": ""}, b'{"quantity":"10.5"}'),
        (SubmittedTransaction, {"version": "2"}, b'{"version":2}'),
        (SubmittedTransaction, {"version": "two"}, b'{"version":"two"}'),
        (SubmittedTransaction, {"version": "02"}, b'{"version":"02"}'),
        (SubmittedTransaction, {"version": "\u00b2"}, b'{"version":"\xc2\xb2"}'),
        (SubmittedTransaction, {"lots": '[{"transaction_id":"T"}]'}, b'{"lots":[{"transaction_id":"T"}]}'),
        (SubmittedTransaction, {"lots": "T1"}, b'{"lots":"T1"}'),
        (SubmittedTransaction, {"lots": "[" * 100_000}, b'{"lots":"' + b"[" * 100_000 + b'"}'),
        (SubmittedTransaction, {"note": "true"}, b'{"note":"true"}'),
        (SubmittedPortfolio, {"allow_short": "true", "fees_in_cost": "FALSE"}, b'{"allow_short":true,"fees_in_cost":false}'),
        (SubmittedPortfolio, {"allow_short": "yes"}, b'{"allow_short":"yes"}'),
    ],
)  # fmt: skip
def test_a_text_stands_for_what_it_spells(submission_type, cells, record):
    assert record_from_texts(submission_type, cells) == record
