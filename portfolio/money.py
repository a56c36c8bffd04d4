"""Exact decimal arithmetic and the one rounding rule; no framework.

Money is `Decimal` from the first byte read to the last byte written; a binary float never touches it.
Arithmetic carries 60 significant digits (a submitted amount has at most 36), and whatever is *kept* is
rounded half-even to 18 decimals by `rounded`. Nothing else in the project rounds.

Whose money a number is, the types say: see `portfolio.amounts`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation, localcontext
from typing import Any, overload

from portfolio.amounts import Amount, M, Number

DECIMALS_KEPT = 18
DIGITS_BEFORE_POINT = 18
ZERO = Decimal(0)
ONE = Decimal(1)
UNKNOWN = Decimal("NaN")
"""A figure that cannot be computed, because a rate is missing: it makes every sum it enters unknown too."""

CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
_STEP = Decimal(1).scaleb(-DECIMALS_KEPT)


class OutOfRange(ArithmeticError):
    """A result is too large to be kept with 18 decimals in 60 digits."""


def exact() -> AbstractContextManager[Context]:
    """The arithmetic of money as a context manager: 60 digits, half-even."""
    return localcontext(CONTEXT)


@overload
def rounded(number: Decimal) -> Decimal: ...
@overload
def rounded(number: Amount[M]) -> Amount[M]: ...
def rounded(number: Any) -> Any:
    """The number or amount as it is kept: half-even at 18 decimals. Raises OutOfRange."""
    try:
        return CONTEXT.quantize(number, _STEP)
    except InvalidOperation as error:
        raise OutOfRange(f"{number:.3E} has more than {CONTEXT.prec} digits at 18 decimals") from error


def plain(number: Number) -> str:
    """The one spelling of a decimal: no exponent, no trailing zeros, no negative zero ("1.5", "0", "1200")."""
    if not number:
        return "0"
    text = str(number)
    if "E" in text:
        text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def fits(number: Decimal) -> bool:
    """Whether the number is finite and has at most 18 digits before and 18 after the point."""
    if not number.is_finite():
        return False
    text = str(number)
    if len(text) <= DIGITS_BEFORE_POINT and "E" not in text:
        # Nearly every number there is.
        return True
    # The exponent is looked at first: a spelling such as 1e-999999999 must not be written out by anyone.
    if abs(number.adjusted()) > CONTEXT.prec:
        return False
    if not number:
        return True
    if number.adjusted() >= DIGITS_BEFORE_POINT:
        return False
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    if exponent >= -DECIMALS_KEPT:
        return True
    trailing = number.normalize(CONTEXT) if len(number.as_tuple().digits) <= CONTEXT.prec else number
    exponent = trailing.as_tuple().exponent
    assert isinstance(exponent, int)
    return exponent >= -DECIMALS_KEPT


# ISO 4217, list one (active codes of money; funds, metals and test codes other than XAU, XAG, XPT, XPD left out).
_ISO_4217 = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY
COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS
INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP
MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR
SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND
VUV WST XAF XAG XAU XCD XCG XOF XPD XPF XPT YER ZAR ZMW ZWG
"""
# Withdrawn codes that old histories still carry (euro-area currencies before 2002 and others redenominated since).
_WITHDRAWN = """
ATS BEF CYP DEM EEK ESP FIM FRF GRD IEP ITL LTL LUF LVL MTL NLG PTE SIT SKK
ANG BYR CSD CUC GHC HRK MRO MZM ROL SDD SLL SRG STD TMM TRL VEB VEF XEU YUM ZMK ZWD ZWL
"""
_currencies = set((_ISO_4217 + _WITHDRAWN).split())


def is_currency(code: str) -> bool:
    """Whether the code is one of ISO 4217's, present or withdrawn, or was allowed by `allow_currencies`."""
    return code in _currencies


def allow_currencies(codes: Iterable[str]) -> None:
    """Accept further codes (crypto currencies, a house's own units); called once, at start, from the settings."""
    _currencies.update(codes)
