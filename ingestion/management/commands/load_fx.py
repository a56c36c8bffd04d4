"""`manage.py load_fx FILE`: publishes the exchange rates of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ingestion.entities import FX_RATES
from ingestion.lines import Line
from ingestion.loading import OpenFile
from ingestion.management.load_command import LoadCommand
from ingestion.rate_files import rate_lines


class Command(LoadCommand):
    """Publish rates to raw_market_data, by the same rules as POST /ingest/fx-rates."""

    help = (
        "Publishes exchange rates: the ECB's reference rates (eurofxref-hist.zip or its CSV), or a CSV with the columns"
        " from_currency, to_currency, rate_date, rate and, if need be, version."
    )
    entity = FX_RATES

    def lines(self, file: OpenFile, options: dict[str, Any]) -> Iterator[Line]:
        return rate_lines(file.texts, defaults={"version": options["record_version"]})
