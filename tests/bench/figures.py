"""What a bench gives back, how large it is, and how its figures are printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much each bench does. Rounds are of the real thing and what it is compared with, in turns."""

    persistence_records: int = 200_000
    persistence_rounds: int = 3
    posts_seconds: float = 6.0
    posts_rounds: int = 3
    posts_connections: int = 8
    day_portfolios: int = 1_000
    day_trades_each: int = 100
    latency_posts: int = 50
    histories: tuple[int, ...] = (100, 10_000, 100_000)
    new_trades: int = 21
    old_histories: tuple[int, ...] = (10_000, 100_000)
    old_changes: int = 9
    history_read: int = 100_000
    reads: int = 200


FULL = Sizes()
QUICK = Sizes(
    persistence_records=40_000,
    persistence_rounds=1,
    posts_seconds=2.0,
    posts_rounds=1,
    day_portfolios=200,
    day_trades_each=50,
    latency_posts=15,
    histories=(100, 10_000),
    new_trades=9,
    old_histories=(10_000,),
    old_changes=3,
    history_read=10_000,
    reads=20,
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table: `ratio` is to the line it is compared with, in words."""

    name: str
    value: str
    ratio: str = ""


@dataclass(slots=True)
class Findings:
    """The figures of one bench under its title."""

    title: str
    figures: list[Figure] = field(default_factory=list)

    def add(self, name: str, value: str, ratio: str = "") -> None:
        """One more line."""
        self.figures.append(Figure(name, value, ratio))

    def show(self, console: Console) -> None:
        """Print the table."""
        table = Table("", title=self.title, title_justify="left", title_style="bold")
        table.add_column("figure", justify="right")
        table.add_column("ratio", justify="right")
        for one in self.figures:
            table.add_row(one.name, one.value, one.ratio)
        console.print(table)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(seconds: float) -> str:
    """The duration for a reader."""
    return f"{1000 * seconds:,.1f} ms"


def a_second(*rates: float) -> str:
    """The median of the rates for a reader, and between which they lay."""
    text = f"{median(rates):,.0f}/s"
    return text if len(rates) == 1 else f"{text} ({min(rates):,.0f} to {max(rates):,.0f})"


def megabytes(count: float) -> str:
    """Bytes for a reader."""
    return f"{count / 2**20:,.0f} MB"
