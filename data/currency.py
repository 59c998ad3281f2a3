"""How many minor units a currency has, by ISO 4217."""

from __future__ import annotations

# Minor units are hundredths but for these.
_EXPONENTS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
    "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
    "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip


def exponent_of(currency: str) -> int:
    """Decimal places of an amount in major units: 2 for EUR, 0 for JPY."""
    return _EXPONENTS.get(currency, 2)


def minor_units(currency: str) -> int:
    """Minor units in one major unit: 100 for EUR, 1 for JPY."""
    return int(10 ** exponent_of(currency))
