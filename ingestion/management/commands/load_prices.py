"""`manage.py load_prices FILE`: publishes the market prices of a file."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ingestion.entities import MARKET_PRICES
from ingestion.lines import Line
from ingestion.loading import OpenFile, opened
from ingestion.management.load_command import LoadCommand
from ingestion.price_files import PriceFile
from ingestion.splits import NotASplit, Split, Splits, split_of, splits_of_file
from portfolio.validation import Refused


class Command(LoadCommand):
    """Publish prices to raw_market_data, by the same rules as POST /ingest/market-prices."""

    help = (
        "Publishes market prices: a security's daily quotes (Date, Open, High, Low, Close, ..; with --security-id and"
        " --currency), or a CSV with the columns security_id, price_date, price, currency and, if need be, version."
        " Prices are as quoted on their day: of a series that was adjusted for splits say so (--adjusted)."
    )
    entity = MARKET_PRICES

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--security-id", metavar="ID", help="whose prices these are, where the file does not say")
        parser.add_argument("--currency", metavar="CODE", help="of the prices, where the file does not say")
        parser.add_argument(
            "--close",
            default="Close",
            metavar="COLUMN",
            help="of daily quotes the column to read (default Close; one that is adjusted for dividends is no price)",
        )
        parser.add_argument(
            "--adjusted",
            action="store_true",
            help="the prices are adjusted for splits: turn them back by the file's own column Stock Splits, or by"
            " --split or --splits",
        )
        parser.add_argument(
            "--split", action="append", type=_split, default=[], metavar="DATE=NEW:OLD", help="as 2020-08-31=4:1"
        )
        parser.add_argument(
            "--splits",
            type=Path,
            metavar="FILE",
            help="a CSV of splits: Date and Stock Splits, or split_date, ratio_new, ratio_old; security_id if need be",
        )

    def lines(self, file: OpenFile, options: dict[str, Any]) -> Iterator[Line]:
        given = {
            "security_id": options["security_id"],
            "currency": options["currency"],
            "version": options["record_version"],
        }
        defaults = {name: value for name, value in given.items() if value}
        return PriceFile(defaults, options["close"], self._splits(options)).lines(file.texts)

    def _splits(self, options: dict[str, Any]) -> Splits:
        """What the prices were adjusted for. Raises CommandError, OSError, Unreadable, Refused."""
        given: list[Split] = options["split"]
        security_id: str | None = options["security_id"]
        if not options["adjusted"]:
            if given or options["splits"]:
                raise CommandError("--split and --splits are of --adjusted prices; others are as quoted already")
            if splits_there := _splits_there(options["file"]):
                meant = "without --adjusted its prices are read as quoted on their day"
                self.stderr.write(f"splits the file names: {splits_there}; {meant}")
            return Splits()
        if given and not security_id:
            raise CommandError("--split needs --security-id: whose split it is")
        # The splits that come last change the prices that stand first: the file is read for them beforehand.
        source: Path | None = options["splits"] or (None if given else options["file"])
        splits = Splits()
        if source is not None:
            with opened(source) as file:
                splits = splits_of_file(file.texts, security_id=security_id)
        for split in given:
            splits.add(security_id or "", split)
        return splits


def _splits_there(path: Path) -> int:
    """How many splits a file of daily quotes names beside its prices."""
    with opened(path) as file:
        try:
            return len(splits_of_file(file.texts, security_id=""))
        except Refused:
            return 0


def _split(text: str) -> Split:
    try:
        return split_of(text)
    except NotASplit as error:
        raise ArgumentTypeError(str(error)) from error
