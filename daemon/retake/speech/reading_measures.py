"""How money and measures are read: rules of `speech.reading`, each returning what is said or None."""

from __future__ import annotations

import re

from . import numbers
from .reading_context import Context, split
from .spoken_forms import ATTACHED_ONLY, CURRENCIES, MAGNITUDE_WORDS, MAGNITUDES, PER, UNITS

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_CURRENCY = "|".join(re.escape(symbol) for symbol in sorted(CURRENCIES, key=len, reverse=True))
UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_SUM = rf"\d{{1,3}}(?:\.\d{{3}})*,\d{{2}}|{NUMBER}"  # "3,50" and "1.250,00" as much of Europe writes cents
_MONEY = re.compile(rf"([-−+]?)({_CURRENCY})({_SUM})(k|mn?|bn?|tn?)?", re.IGNORECASE)
_MONEY_AFTER = re.compile(rf"({_SUM})(k|mn?|bn?)?(€|£|¥|\$)", re.IGNORECASE)
_MONEY_RANGE = re.compile(rf"({_CURRENCY})({NUMBER})[-–](?:\1)?({NUMBER})(k|mn?|bn?|tn?)?", re.IGNORECASE)
_MEASURE = re.compile(rf"([-−+]?(?:{NUMBER}))(-?)({UNIT})")
_MEASURE_RANGE = re.compile(rf"({NUMBER})[-–]({NUMBER})(-?)({UNIT})")
_FEET = re.compile(r"(\d+)['’′](?:(\d+)(?:[\"”″]|'')?)?")
_INCHES = re.compile(r"(\d+(?:\.\d+)?)[\"”″]")
_SIZE = re.compile(r"(\d[\d,.]*)[x×](\d[\d,.]*)(?:[x×](\d[\d,.]*))?")
_RATE = re.compile(r"(.+)/([A-Za-z²³]+)")
_PLAIN_NUMBER = re.compile(rf"[-−+]?(?:{NUMBER})")
_NUMBER_RANGE = re.compile(rf"[-−+]?(?:{NUMBER})[-–](?:{NUMBER})")
_AMOUNT_PARTS = 2  # figures of cents: "$3.5" is three point five dollars
# Before a measure these make it an adjective: "a five kilometer run". Without one of them it cannot be told from "we ran 5 km daily".
_ONE = frozenset({"a", "an", "another", "each", "every", "one"})
# Words that do not go on with the noun: "a 5 km of road" is not written, "a 5% to 6% rise" is.
_NO_NOUN = frozenset("of to and or in on at by for from than is was are were per with as but more less fewer off long tall wide high deep".split())  # noqa: SIM905


def is_number(text: str) -> bool:
    return _PLAIN_NUMBER.fullmatch(text) is not None


def _is_amount(text: str) -> bool:
    return is_number(text) or _NUMBER_RANGE.fullmatch(text) is not None


def amount(value: str, forms: tuple[str, ...]) -> str:
    """The singular for exactly one, else the plural."""
    return forms[0] if value.replace(",", "").lstrip("-−+") in ("1", "1.0") else forms[1]


def _is_adjective(context: Context, words: int = 0) -> bool:
    """Whether a measure that begins `words` words before this one describes the noun that follows: "a 5 km run"."""
    following = context.core(1)
    ends = split(context.words[context.index])[2].strip('"”″')  # the mark of inches ends nothing
    noun = following.isalpha() and following.islower() and following not in _NO_NOUN and not ends
    return noun and context.core(-1 - words).lower() in _ONE


def money(core: str, context: Context) -> str | None:
    """Amounts with a sign or a code: $5, £3.50, 5€, $2.5bn, C$20, $5-10, $10/month."""
    if match := _MONEY_RANGE.fullmatch(core):
        symbol, low, high, short = match.groups()
        follows = context.core(1).lower() in MAGNITUDE_WORDS
        scale = f" {MAGNITUDES[short.lower()]}" if short else ""
        return f"{numbers.number(low)} to {numbers.number(high)}{scale}{'' if follows else ' ' + CURRENCIES[symbol.upper()][1]}"
    if match := _MONEY.fullmatch(core):
        sign, symbol, value, short = match.groups()
    elif match := _MONEY_AFTER.fullmatch(core):
        value, short, symbol = match.groups()
        sign = ""
    else:
        return _rate_of_money(core)
    if re.search(r",\d{2}$", value):
        value = value.replace(".", "").replace(",", ".")
    names = CURRENCIES[symbol.upper()]
    singular = _is_adjective(context)
    minus = {"": "", "+": "plus "}.get(sign, "minus ")
    if short:
        return f"{minus}{numbers.number(value)} {MAGNITUDES[short.lower()]} {names[0 if singular else 1]}"
    if context.core(1).lower() in MAGNITUDE_WORDS:
        return f"{minus}{numbers.number(value)}"  # the magnitude that follows says the currency
    return minus + _coins(value, names, singular)


def _coins(value: str, names: tuple[str, str, str, str], singular: bool) -> str:
    whole, point, fraction = value.replace(",", "").partition(".")
    if not point or len(fraction) != _AMOUNT_PARTS:
        return f"{numbers.number(value)} {names[0] if singular else amount(value, names[:2])}"
    parts: list[str] = []
    if whole and int(whole):
        parts.append(f"{numbers.number(whole)} {names[0] if singular and not int(fraction) else amount(whole, names[:2])}")
    if int(fraction) or not parts:
        parts.append(f"{numbers.cardinal(int(fraction))} {names[2] if int(fraction) == 1 else names[3]}")
    return " and ".join(parts)


def _rate_of_money(core: str) -> str | None:
    """ "$10/month"."""
    match = _RATE.fullmatch(core)
    if match is None or not match[2].isalpha():
        return None
    said = money(match[1], Context([match[1]], 0)) if "/" not in match[1] else None
    return f"{said} per {PER.get(match[2], match[2])}" if said else None


def magnitude_of_money(core: str, context: Context) -> str | None:
    """ "million" in "$5 million" says the currency too."""
    if core.lower() not in MAGNITUDE_WORDS:
        return None
    before = context.core(-1)
    match = _MONEY.fullmatch(before)
    if match is not None and not match[4]:
        return f"{core} {CURRENCIES[match[2].upper()][0 if _is_adjective(context, 1) else 1]}"
    among = _MONEY_RANGE.fullmatch(before)
    return f"{core} {CURRENCIES[among[1].upper()][1]}" if among is not None and not among[4] else None


def currency(core: str, context: Context) -> str | None:
    """A sign or code that stands alone: "USD 40" (said after the number), "40 USD", "the $ sign"."""
    if core not in CURRENCIES:
        return None
    if is_number(context.core(1)) and not context.ends_clause(0):
        return ""
    before = context.core(-1)
    if (is_number(before) or before.lower() in MAGNITUDE_WORDS) and not context.ends_clause(-1):
        return amount(before, CURRENCIES[core][:2])
    if core.isalpha():
        return None
    return CURRENCIES[core][0 if context.core(1).islower() and not context.ends_clause(0) else 1]


def measure(core: str, context: Context) -> str | None:
    """Numbers with a unit, attached or not: 5km, 5 km, 6-ft, 5-10%, 10 mg/day, 5'11", 27", 1920x1080."""
    if match := _MEASURE.fullmatch(core):
        value, hyphen, unit = match.groups()
        if not (hyphen and unit in ATTACHED_ONLY - {"in"}):  # "5-s" is no measure
            singular = bool(hyphen) or _is_adjective(context)
            return f"{numbers.number(value)} {UNITS[unit][0] if singular else amount(value, UNITS[unit])}"
    if match := _MEASURE_RANGE.fullmatch(core):
        low, high, hyphen, unit = match.groups()
        return f"{numbers.number(low)} to {numbers.number(high)} {UNITS[unit][0 if hyphen else 1]}"
    if match := _FEET.fullmatch(core):
        feet = f"{numbers.number(match[1])} {amount(match[1], UNITS['ft'])}"
        return f"{feet} {numbers.number(match[2])}" if match[2] else feet
    if match := _INCHES.fullmatch(core):
        return f"{numbers.number(match[1])} {'inch' if _is_adjective(context) else amount(match[1], UNITS['in'])}"
    if match := _SIZE.fullmatch(core):
        return " by ".join(_side(side) for side in match.groups() if side)
    return _unit_alone(core, context) or _rate(core, context)


def _side(text: str) -> str:
    """Sides of pictures are read in pairs: 1920 -> "nineteen twenty"."""
    return numbers.year(int(text)) if text.isdecimal() and len(text) == 4 and int(text) >= 1000 else numbers.number(text.rstrip(".,"))


def _unit_alone(core: str, context: Context) -> str | None:
    """A unit after its number: "5 km", "15 sq ft", "3 in."."""
    before = context.core(-1)
    squared = before.lower() in {"sq", "cu"}
    value, distance = (context.core(-2), 2) if squared else (before, 1)
    if core.lower() in {"sq", "cu"} and _is_amount(before) and context.core(1) in UNITS:
        return "square" if core.lower() == "sq" else "cubic"
    if core not in UNITS or not _is_amount(value) or (context.ends_clause(-1) and not split(context.words[context.index - 1])[2].startswith(".")):
        return None
    dotted = split(context.words[context.index])[2].startswith(".")
    if core in ATTACHED_ONLY and not squared and not (core == "in" and dotted):
        return None
    return UNITS[core][0] if _is_adjective(context, distance) else amount(value, UNITS[core])


def _rate(core: str, context: Context) -> str | None:
    """ "10 mg/day", "5 kWh/m²": a measure for each of something."""
    match = _RATE.fullmatch(core)
    if match is None or (match[2] not in PER and match[2] not in UNITS):
        return None
    top = match[1]
    if "/" in top:
        return None
    said = measure(top, Context([*context.words[: context.index], top], context.index)) or (numbers.number(top) if is_number(top) else None)
    under = PER.get(match[2]) or UNITS[match[2]][0]
    return f"{said} per {under}" if said else None
