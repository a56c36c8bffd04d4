"""Lots: pieces that are taken off add up to the lot, whatever is taken and in however many steps."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.amounts import NIL, Base, Local, amount_of, total
from portfolio.money import DECIMALS_KEPT, UNKNOWN, ZERO, exact
from positions.engine.cost_methods import COST_METHODS
from positions.engine.holdings import Holding, HoldingKey, Kind
from positions.engine.lots import Lot, LotKey, Piece, spread

D = Decimal
DAY = datetime.date(2025, 1, 2)
numbers = st.decimals("0.000000000000000001", "1000000", places=18)


@pytest.fixture(autouse=True)
def arithmetic():
    with exact():
        yield


def key(number):
    return LotKey(DAY + datetime.timedelta(days=number), 0, f"T{number}", "P1")


def cost(local, base):
    """What a lot or a piece of one cost, in the holding's money and in base."""
    return amount_of(D(local), Local), amount_of(D(base), Base)


def holding(*lots, method="FIFO"):
    """A holding of lots, each a quantity, a cost and a cost in base."""
    held = Holding(HoldingKey(Kind.SECURITY, "AAPL"), "USD", DAY)
    for number, (quantity, *costs) in enumerate(lots):
        COST_METHODS[method].join(held, Lot(key(number), D(quantity), *cost(*costs)))
    return held


def take(held, quantity, method="FIFO"):
    return held.take(COST_METHODS[method].choose(held, D(quantity), ()))


def sums(parts):
    return tuple(sum((getattr(p, name) for p in parts), ZERO) for name in ("quantity", "cost_basis", "cost_basis_base"))


def kept(number):
    return number == round(number, DECIMALS_KEPT)


@given(
    lots=st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5),
    parts=st.lists(st.fractions(0, 1), max_size=6),
    method=st.sampled_from(["FIFO", "AVCO"]),
    sign=st.sampled_from([1, -1]),
)
def test_pieces_and_what_is_left_add_up_to_what_was_put_in(lots, parts, method, sign):
    with exact():
        held = holding(*[tuple(sign * n for n in lot) for lot in lots], method=method)
        put_in = sums(held.open_lots())
        pieces = []
        for part in parts:
            wanted = round(abs(held.quantity) * part.numerator / part.denominator, 18)
            pieces += take(held, min(wanted, abs(held.quantity)), method)
        assert tuple(map(sum, zip(sums(pieces), sums(held.open_lots()), strict=True))) == put_in
        assert sums(held.open_lots()) == (held.quantity, held.cost_basis, held.cost_basis_base)
        assert all(kept(piece.cost_basis) and kept(piece.cost_basis_base) for piece in pieces)

        take(held, abs(held.quantity), method)
        assert (held.quantity, held.cost_basis, held.cost_basis_base, held.open_lots()) == (0, 0, 0, [])


def test_first_in_is_first_out():
    held = holding((10, 100, 110), (10, 120, 130))
    assert take(held, 15) == [Piece(key(0), D(10), *cost(100, 110)), Piece(key(1), D(5), *cost(60, 65))]
    assert sums(held.open_lots()) == (5, 60, 65)


def test_an_average_pool_is_named_by_what_first_filled_it():
    held = holding((10, 100, 110), (10, 120, 130), method="AVCO")
    assert take(held, 5, "AVCO") == [Piece(key(0), D(5), *cost(55, 60))]
    take(held, 15, "AVCO")
    COST_METHODS["AVCO"].join(held, Lot(key(7), D(1), *cost(9, 9)))
    assert [lot.key for lot in held.open_lots()] == [key(7)]


def test_part_of_a_lot_is_rounded_half_even_and_the_rest_keeps_the_difference():
    # 5 x 10^-18 halved is 2.5 of them: half-even 2, and the rest keeps 3.
    held = holding((2, "0.000000000000000005", 0))
    (piece,) = take(held, 1)
    assert piece.cost_basis == D("0.000000000000000002")
    assert held.cost_basis == D("0.000000000000000003")


def test_an_unknown_base_cost_leaves_with_its_lot():
    held = holding((10, 100, UNKNOWN), (10, 120, 130))
    assert (held.unrated_lots, held.cost_basis_base) == (1, 130)
    take(held, 4)
    assert held.unrated_lots == 1
    take(held, 6)
    assert (held.unrated_lots, held.cost_basis_base) == (0, 130)


@pytest.mark.parametrize("order", [(UNKNOWN, 130), (130, UNKNOWN), (UNKNOWN, UNKNOWN)])
def test_a_pool_with_an_unknown_part_is_unknown_as_a_whole(order):
    held = holding(*[(10, 100, base) for base in order], method="AVCO")
    assert (held.unrated_lots, held.cost_basis_base) == (1, 0)
    take(held, 20, "AVCO")
    assert (held.unrated_lots, held.cost_basis_base, held.cost_basis) == (0, 0, 0)


def test_an_unknown_local_cost_leaves_with_its_lot():
    held = holding((10, UNKNOWN, 110), (10, 120, 130))
    assert held.cost_basis.is_nan()
    take(held, 4)
    assert held.cost_basis.is_nan()
    take(held, 6)
    assert held.cost_basis == 120


ratios = st.decimals("0.001", "1000", places=3)


@given(
    lots=st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5),
    new=ratios,
    old=ratios,
    sign=st.sampled_from([1, -1]),
)
def test_a_split_keeps_cost_and_its_lots_add_up_on_one_side(lots, new, old, sign):
    with exact():
        held = holding(*[(sign * q, sign * c, sign * b) for q, c, b in lots])
        _, cost, cost_base = sums(held.open_lots())
        total = held.scaled(new, old)
        if total:
            held.scale(new, old)
            assert (
                sums(held.open_lots())
                == (total, cost, cost_base)
                == (held.quantity, held.cost_basis, held.cost_basis_base)
            )
            assert all(lot.quantity * sign > 0 for lot in held.open_lots())


def test_the_newest_lot_takes_what_a_split_leaves():
    held = holding((1, 10, 10), (1, 20, 20))
    held.scale(D(1), D(3))
    assert [lot.quantity for lot in held.open_lots()] == [D("0.333333333333333333"), D("0.333333333333333334")]


def test_the_newest_lot_never_turns_to_the_other_side():
    # Ten lots of 10^-18 become 6 x 10^-18 in all. Each rounds up to one, so four too many are there: the newest four go.
    held = holding(*[("0.000000000000000001", 1, 1)] * 10)
    held.scale(D(6), D(10))
    assert [lot.quantity for lot in held.open_lots()] == [D("0.000000000000000001")] * 6
    assert [lot.cost_basis for lot in held.open_lots()] == [1, 1, 1, 1, 1, 5]


def test_an_unknown_base_cost_stays_unknown_through_a_split_that_closes_its_lot():
    held = holding(("0.000000000000000001", 10, UNKNOWN), (6, 60, 60))
    held.scale(D(1), D(3))
    assert (held.quantity, held.cost_basis, held.unrated_lots, held.cost_basis_base) == (2, 70, 1, 0)
    take(held, 2)
    assert (held.cost_basis, held.unrated_lots, held.cost_basis_base) == (0, 0, 0)


@given(amount=numbers, quantities=st.lists(numbers, min_size=1, max_size=6))
def test_what_is_spread_adds_up(amount, quantities):
    with exact():
        pieces = [Piece(key(number), quantity, NIL, NIL) for number, quantity in enumerate(quantities)]
        shares = spread(amount_of(amount, Local), pieces)
        assert total(shares) == amount
        assert all(kept(share) for share in shares)


def test_the_newest_piece_takes_the_remainder_of_what_is_spread():
    pieces = [Piece(key(number), D(1), NIL, NIL) for number in (2, 0, 1)]
    third = D("33.333333333333333333")
    assert spread(amount_of(D(100), Local), pieces) == [third + D("1e-18"), third, third]


def test_lots_behind_the_front_are_read_when_they_are_needed():
    held = holding()
    held.quantity = D(30)
    held.cost_basis, held.cost_basis_base = cost(300, 300)
    first, *others = [Lot(key(number), D(10), *cost(100, 100)) for number in range(3)]
    held.lots.append(first)
    held.more = lambda: others
    take(held, 5)
    assert held.more is not None
    assert [piece.key for piece in take(held, 20)] == [key(0), key(1), key(2)]
    assert sums(held.open_lots()) == (held.quantity, held.cost_basis, held.cost_basis_base) == (5, 50, 50)
