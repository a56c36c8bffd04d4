"""Who depends on what, and how the market's news reaches them.

The calculators tell what each portfolio depends on; the ground floor says what has changed (`market_seq` on its rows).
Here the two meet, in the database: a message about market data only wakes, so that ten thousand of them fold into one
request a portfolio and a lost one is made good by the next sweep.

Positions depend on instruments' attributes and on exchange rates, which make base costs; prices do not change them,
but what they are worth. So prices ask for valuations, the other two for positions: and these take the valuations along,
since every positions done asks for them (`orchestrator.requests`). A rate concerns every interest in either of its
currencies, whatever its date: one before `since_date` may be the last one before it, and one of a cross pair may be a
leg of the rate that is used. A price before `since_date` counts up to the next price of the security: where that is not
after `since_date`, nobody asks.

A portfolio may come to depend on something just while that changes. Whoever records interests therefore shares the lock
of the market's round and looks for news after recording, while carrying news on takes that lock alone: either the round
finds the new interests, or they find the news.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from django.db import connection

from portfolio.streaming.messages import PositionCalculationDone, ValuationCalculationDone

_SEQ_MAX = 2**63 - 1

# What changed in (since, until], by the names that interests have, the calculation it asks for, and of prices the day
# before which they count: that of the price after the last one that changed.
_NEWS = """
    SELECT changed.asks_for, changed.kind, changed.name, max(changed.market_seq) AS market_seq,
        CASE changed.asks_for WHEN 'VALUATIONS' THEN (
            SELECT min(p.price_date) FROM market_prices AS p
            WHERE changed.kind = 'SECURITY' AND p.security_id = changed.name AND p.superseded_at IS NULL
                AND p.price_date > max(changed.price_date)
        ) END AS counts_until
    FROM (
        SELECT 'POSITIONS' AS asks_for, 'SECURITY' AS kind, security_id AS name, market_seq, NULL::date AS price_date
        FROM instruments WHERE market_seq > %(since)s AND market_seq <= %(until)s
        UNION ALL
        SELECT told.asks_for, told.kind, side.currency, r.market_seq, NULL
        FROM fx_rates AS r, LATERAL (VALUES (r.from_currency), (r.to_currency)) AS side (currency),
            LATERAL (VALUES ('POSITIONS', 'CURRENCY'), ('VALUATIONS', 'QUOTE')) AS told (asks_for, kind)
        WHERE r.market_seq > %(since)s AND r.market_seq <= %(until)s
        UNION ALL
        SELECT 'VALUATIONS', 'SECURITY', security_id, market_seq, price_date
        FROM market_prices WHERE market_seq > %(since)s AND market_seq <= %(until)s AND superseded_at IS NULL
    ) AS changed
    GROUP BY changed.asks_for, changed.kind, changed.name
"""


@dataclass(frozen=True, slots=True)
class News:
    """Which portfolios the market's news concern, and the market_seq that each must have seen, by what it asks for."""

    positions: Mapping[str, int] = field(default_factory=dict)
    valuations: Mapping[str, int] = field(default_factory=dict)

    def portfolio_ids(self) -> set[str]:
        """All of them."""
        return self.positions.keys() | self.valuations.keys()


def next_news(*, portfolios_max: int) -> News:
    """Carry the market's news on to the next `portfolios_max` portfolios that depend on it.

    Gives each of them the market_seq that it must have seen; the caller requests that in the same transaction. Nothing
    where all has been told. Holds the round until the transaction ends.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT coalesce((SELECT market_seq FROM market_marks), 0),
                coalesce((SELECT told_seq FROM market_rounds), 0)
            """
        )
        mark, told = cursor.fetchone()
        if mark <= told:
            return News()
        _start_rounds()
        cursor.execute("SELECT told_seq, target_seq, portfolio_id FROM market_rounds FOR NO KEY UPDATE")
        told, target, after = cursor.fetchone()
        if told == target:
            # Rows up to the mark are all visible to what is read after it: its row lock orders their writers.
            cursor.execute("SELECT market_seq FROM market_marks")
            target, after = cursor.fetchone()[0], ""
        # A name at a time, in the order of the unique key: no more than `portfolios_max` entries of each are read.
        cursor.execute(
            f"""
            SELECT concerned.portfolio_id, {_BY_CALCULATION}
            FROM ({_NEWS}) AS news, LATERAL (
                SELECT portfolio_id, since_date FROM interests
                WHERE kind = news.kind AND name = news.name AND portfolio_id > %(after)s
                ORDER BY portfolio_id LIMIT %(portfolios_max)s
            ) AS concerned
            GROUP BY concerned.portfolio_id ORDER BY concerned.portfolio_id LIMIT %(portfolios_max)s
            """,  # noqa: S608 - only this app's own constants are written in
            {"since": told, "until": target, "after": after, "portfolios_max": portfolios_max},
        )
        rows = cursor.fetchall()
        if len(rows) < portfolios_max:
            told, after = target, ""
        else:
            after = rows[-1][0]
        cursor.execute(
            "UPDATE market_rounds SET told_seq = %s, target_seq = %s, portfolio_id = %s", [told, target, after]
        )
    return _news_of(rows)


def share_round() -> None:
    """Keep the market's round from going on until the transaction ends: before interests are recorded.

    Taken before any calculation's row, as `next_news` does.
    """
    _start_rounds()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM market_rounds FOR SHARE")


def record_interests(*, dones: Collection[PositionCalculationDone]) -> News:
    """Replace the interests of the portfolios whose set is newer than the one known here.

    At most one done a portfolio; the caller shares the round since before it held their rows. Gives, of the portfolios
    whose new interests have changed since their calculation saw the market, the market_seq that they must see: the
    caller requests it.
    """
    sets = {done.portfolio_id: done for done in dones if done.interests_seq > 0}
    if not sets:
        return News()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE calculations AS c SET interests_seq = sent.interests_seq
            FROM unnest(%s::text[], %s::bigint[]) AS sent (portfolio_id, interests_seq)
            WHERE c.portfolio_id = sent.portfolio_id AND c.kind = 'POSITIONS' AND c.interests_seq < sent.interests_seq
            RETURNING c.portfolio_id
            """,
            [list(sets), [done.interests_seq for done in sets.values()]],
        )
        newer = [sets[portfolio_id] for (portfolio_id,) in cursor.fetchall()]
        if newer:
            _replace(newer)
            return _late_news({done.portfolio_id: done.market_seq for done in newer})
    return News()


def record_quotes(*, dones: Collection[ValuationCalculationDone]) -> Mapping[str, int]:
    """Add the currencies that prices turned out to be quoted in; the caller shares the round as above.

    An interest too many does no harm, so none is taken back. Gives the late news of those that are new, as above.
    """
    told = [done for done in dones if done.quoted_in]
    if not told:
        return {}
    pairs = [(done.portfolio_id, currency) for done in told for currency in done.quoted_in]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO interests (portfolio_id, kind, name, since_date)
            SELECT DISTINCT portfolio_id, 'QUOTE', name, %s::date
            FROM unnest(%s::text[], %s::text[]) AS told (portfolio_id, name)
            ON CONFLICT (kind, name, portfolio_id) DO NOTHING RETURNING portfolio_id
            """,
            [datetime.date.min, [portfolio_id for portfolio_id, _ in pairs], [currency for _, currency in pairs]],
        )
        new = {portfolio_id for (portfolio_id,) in cursor.fetchall()}
    return _late_news({done.portfolio_id: done.market_seq for done in told if done.portfolio_id in new}).valuations


def _start_rounds() -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO market_rounds (id) VALUES (1) ON CONFLICT DO NOTHING")


def _replace(dones: Sequence[PositionCalculationDone]) -> None:
    held = [(done.portfolio_id, i.kind, i.name, i.since_date) for done in dones for i in done.interests]
    columns: list[list[object]] = [list(column) for column in zip(*held, strict=True)] or [[], [], [], []]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            DELETE FROM interests AS i
            WHERE i.portfolio_id = ANY(%s::text[]) AND i.kind <> 'QUOTE' AND NOT EXISTS (
                SELECT 1 FROM unnest(%s::text[], %s::text[], %s::text[]) AS held (portfolio_id, kind, name)
                WHERE held.portfolio_id = i.portfolio_id AND held.kind = i.kind AND held.name = i.name
            )
            """,
            [[done.portfolio_id for done in dones], *columns[:3]],
        )
        cursor.execute(
            """
            INSERT INTO interests AS i (portfolio_id, kind, name, since_date)
            SELECT portfolio_id, kind, name, min(since_date)
            FROM unnest(%s::text[], %s::text[], %s::text[], %s::date[]) AS held (portfolio_id, kind, name, since_date)
            GROUP BY portfolio_id, kind, name
            ON CONFLICT (kind, name, portfolio_id) DO UPDATE SET since_date = excluded.since_date
            WHERE i.since_date <> excluded.since_date
            """,
            columns,
        )


def _late_news(seen: Mapping[str, int]) -> News:
    """What came, of what these portfolios depend on, after their calculation saw the market."""
    if not seen:
        return News()
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH news AS MATERIALIZED ({_NEWS})
            SELECT concerned.portfolio_id, {_BY_CALCULATION}
            FROM unnest(%(portfolio_ids)s::text[], %(seen)s::bigint[]) AS done (portfolio_id, market_seq)
            JOIN interests AS concerned ON concerned.portfolio_id = done.portfolio_id
            JOIN news ON news.kind = concerned.kind AND news.name = concerned.name AND news.market_seq > done.market_seq
            GROUP BY concerned.portfolio_id
            """,  # noqa: S608 - only this app's own constants are written in
            {
                "portfolio_ids": list(seen),
                "seen": list(seen.values()),
                "since": min(seen.values()),
                "until": _SEQ_MAX,
            },
        )
        return _news_of(cursor.fetchall())


_BY_CALCULATION = """
    max(news.market_seq) FILTER (WHERE news.asks_for = 'POSITIONS'),
    max(news.market_seq) FILTER (
        WHERE news.asks_for = 'VALUATIONS' AND concerned.since_date < coalesce(news.counts_until, 'infinity')
    )
"""
"""Of a portfolio that is concerned, the last market_seq of what asks for its positions and for its valuations."""


def _news_of(rows: Sequence[tuple[str, int | None, int | None]]) -> News:
    return News(
        {portfolio_id: seq for portfolio_id, seq, _ in rows if seq},
        {portfolio_id: seq for portfolio_id, _, seq in rows if seq},
    )
