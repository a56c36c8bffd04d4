"""Loading files on the machine itself: open, read in batches, submit, tell what became of each line.

A file may be larger than memory: a batch of lines is read, published and acknowledged before the next one is looked at.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from ingestion.entities import Entity
from ingestion.formats import Unreadable
from ingestion.lines import Line, PassedOver
from ingestion.operations import RECORDS_A_PUBLISH, submit_as_operator
from portfolio.streaming.broker import Outgoing, Producer, Receipt
from portfolio.validation import FieldProblem


@dataclass(frozen=True, slots=True)
class OpenFile:
    """A text file that is being read, or the only file of a zip archive; `position` tells how far, in bytes."""

    texts: io.TextIOWrapper
    size: int
    _raw: IO[bytes]

    @property
    def position(self) -> int:
        return self._raw.tell()


@contextmanager
def opened(path: Path) -> Iterator[OpenFile]:
    """The file, to be read as CSV. Raises OSError, Unreadable."""
    with ExitStack() as stack:
        try:
            if zipfile.is_zipfile(path):
                raw, size = _only_member(stack.enter_context(zipfile.ZipFile(path)), stack)
            else:
                raw, size = stack.enter_context(path.open("rb")), path.stat().st_size
            texts = stack.enter_context(io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""))
            yield OpenFile(texts, size, raw)
        except UnicodeDecodeError as error:
            raise Unreadable(f"It is not UTF-8 text: {error}.") from error
        except (zipfile.BadZipFile, zlib.error) as error:
            raise Unreadable(f"It is a broken zip archive: {error}.") from error


def _only_member(archive: zipfile.ZipFile, stack: ExitStack) -> tuple[IO[bytes], int]:
    members = [one for one in archive.infolist() if not one.is_dir()]
    if len(members) != 1:
        raise Unreadable(f"It is an archive of {len(members)} files; one of a single file is read.")
    try:
        return stack.enter_context(archive.open(members[0])), members[0].file_size
    except RuntimeError as error:  # it is encrypted, or packed in a way that is not known here
        raise Unreadable(f"It is an archive that cannot be opened: {error}.") from error


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """A record that was not taken: the line it stands on, the fields it is known by, and why."""

    number: int
    known_by: Mapping[str, str | None]
    problems: list[FieldProblem]

    def __str__(self) -> str:
        name = " ".join(value for value in self.known_by.values() if value)
        reasons = "; ".join(f"{problem.field or 'record'}: {problem.detail}" for problem in self.problems)
        return f"line {self.number}{f' ({name})' if name else ''}: {reasons}"


@dataclass(frozen=True, slots=True)
class LoadedBatch:
    """What became of one batch of lines."""

    accepted: int
    refused: list[RefusedLine]
    passed_over: Counter[str]
    """How many lines held no record, by why."""


def load(
    lines: Iterable[Line], *, entity: Entity, headers: Mapping[str, str], producer: Producer
) -> Iterator[LoadedBatch]:
    """Submit the lines, a batch at a time; each is acknowledged by the broker when it is told of.

    Raises BrokerUnavailable, and whatever `lines` raises: the batches told of before are published.
    """
    left = iter(lines)
    while of_file := list(islice(left, RECORDS_A_PUBLISH)):
        passed_over = Counter(record.why for _, record in of_file if isinstance(record, PassedOver))
        batch = [(number, record) for number, record in of_file if not isinstance(record, PassedOver)]
        outcome = submit_as_operator(
            entity=entity, records=(record for _, record in batch), headers=headers, producer=producer
        )
        refused = [RefusedLine(batch[one.index][0], one.known_by, one.problems) for one in outcome.rejected]
        yield LoadedBatch(len(outcome.accepted), refused, passed_over)


class Rehearsal:
    """A producer that publishes nothing: what a dry run speaks to."""

    def publish(self, records: Iterable[Outgoing]) -> list[Receipt]:
        return [Receipt(record.topic, -1, -1) for record in records]

    def close(self) -> None:
        """Nothing was sent."""
