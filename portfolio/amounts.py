"""Amounts that carry their money in their type: sums across currencies are refused before anything runs.

Every transaction has up to five moneys, and code that mixes two of them looks as good as code that does not. So an
amount is `Amount[Trade]`, `Amount[Local]` or `Amount[Base]` to the type checker: amounts of one money add up and
compare, times a number they stay what they are, and times an `ExchangeRate[Trade, Base]` they become base; anything
else is an error. At run time there is nothing of this: an amount is a `Decimal`, and so is a rate.

The tags name the part that a money plays, not its code: Local is that of the holding at hand. From one holding to
another, and from a bare number to an amount, money goes through doors that say so: the functions below.
Quantities, ratios and price factors are numbers. The price of a unit is an amount.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, TypeVar, final, overload


@final
class Trade:
    """The money a transaction was dealt in."""


@final
class Bought:
    """The money that an FX trade buys."""


@final
class Quoted:
    """The money of a price: that of a quote, or of an own trade."""


@final
class Local:
    """The money of a holding: that of its instrument; of cash, that of the cash."""


@final
class Base:
    """The money of the portfolio."""


M = TypeVar("M", Trade, Bought, Quoted, Local, Base)
N = TypeVar("N", Trade, Bought, Quoted, Local, Base)
# Covariant, so that an amount of Never (NIL) is one of every money. What two moneys have in common (the larger of both)
# is then an amount of object, which no field takes and no answer spells.
_Of_co = TypeVar("_Of_co", covariant=True)
_To_co = TypeVar("_To_co", covariant=True)

if TYPE_CHECKING:

    class ExchangeRate(Generic[_Of_co, _To_co]):
        """Units of one money for one of another."""

        def is_nan(self) -> bool: ...

    class Amount(Generic[_Of_co]):
        """A decimal of a money. What is not written here cannot be done with it."""

        def __add__(self: Amount[M], other: Amount[M], /) -> Amount[M]: ...
        def __sub__(self: Amount[M], other: Amount[M], /) -> Amount[M]: ...
        @overload
        def __mul__(self, number: Decimal | int, /) -> Amount[_Of_co]: ...
        @overload
        def __mul__(self: Amount[M], rate: ExchangeRate[M, N], /) -> Amount[N]: ...
        def __mul__(self, factor: Any, /) -> Any: ...
        def __rmul__(self, number: Decimal | int, /) -> Amount[_Of_co]: ...
        @overload
        def __truediv__(self, number: Decimal | int, /) -> Amount[_Of_co]: ...
        @overload
        def __truediv__(self: Amount[M], other: Amount[M], /) -> Decimal: ...
        def __truediv__(self, divisor: Any, /) -> Any: ...
        def __neg__(self) -> Amount[_Of_co]: ...
        def __abs__(self) -> Amount[_Of_co]: ...
        def __lt__(self: Amount[M], other: Amount[M] | Literal[0], /) -> bool: ...
        def __le__(self: Amount[M], other: Amount[M] | Literal[0], /) -> bool: ...
        def __gt__(self: Amount[M], other: Amount[M] | Literal[0], /) -> bool: ...
        def __ge__(self: Amount[M], other: Amount[M] | Literal[0], /) -> bool: ...
        def __eq__(self: Amount[M], other: Amount[M], /) -> bool: ...  # type: ignore[override]  # not of any object
        def __ne__(self: Amount[M], other: Amount[M], /) -> bool: ...  # type: ignore[override]
        def __hash__(self) -> int: ...
        def __bool__(self) -> bool: ...
        def is_nan(self) -> bool: ...
        def is_signed(self) -> bool: ...

    AnyAmount = Amount[Trade] | Amount[Bought] | Amount[Quoted] | Amount[Local] | Amount[Base]
    Number = Decimal | AnyAmount | ExchangeRate[object, object]

else:

    class ExchangeRate:
        """A decimal: `ExchangeRate[Trade, Base]` is for the type checker."""

        def __class_getitem__(cls, moneys: object) -> type[Decimal]:
            return Decimal

    class Amount:
        """A decimal: `Amount[Base]` is for the type checker."""

        def __class_getitem__(cls, money: object) -> type[Decimal]:
            return Decimal

    AnyAmount = Number = Decimal


def _any(number: Decimal) -> Any:
    return number


NIL: Amount[Never] = _any(Decimal(0))
"""No money, of whichever currency."""
UNKNOWN_AMOUNT: Amount[Never] = _any(Decimal("NaN"))
"""An amount of any money that cannot be computed, because a rate or a price is missing: see `portfolio.money`."""
UNKNOWN_RATE: ExchangeRate[Never, Never] = _any(Decimal("NaN"))
AT_PAR: ExchangeRate[Never, Never] = _any(Decimal(1))
"""The rate between two moneys that are of one currency."""


# --- doors --------------------------------------------------------------------------------------------------------


def amount_of(number: Decimal, _money: type[M]) -> Amount[M]:
    """A number that is known to be money: as submitted, read from a row, or counted in a currency's cash."""
    return number  # type: ignore[return-value]


def rate_of(number: Decimal, _of: type[M], _to: type[N]) -> ExchangeRate[M, N]:
    """A number that is known to be a rate: how much of the second money for one of the first."""
    return number  # type: ignore[return-value]


def same_money(amount: AnyAmount, _money: type[M]) -> Amount[M]:
    """An amount as one of another money, where both are of one currency: the caller has made sure of that."""
    return amount  # type: ignore[return-value]


def same_rate(rate: ExchangeRate[object, object], _of: type[M], _to: type[N]) -> ExchangeRate[M, N]:
    """A rate as one between other moneys of the same two currencies: the caller has made sure of that."""
    return rate  # type: ignore[return-value]


def number_of(amount: AnyAmount) -> Decimal:
    """The bare number, where the money does not matter any more."""
    return amount  # type: ignore[return-value]


def total(amounts: Iterable[Amount[M]]) -> Amount[M]:
    """The sum of amounts of one money."""
    return sum(amounts, NIL)
