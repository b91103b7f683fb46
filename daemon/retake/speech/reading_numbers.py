"""How numbers are read: plain ones, years, dates, times, money, measures, ordinals, ranges, telephone numbers.

Every rule takes the core of a written word and its context, and returns what is said or None if the word is not its business.
"""

from __future__ import annotations

import re

from . import numbers
from .reading_context import Context
from .spoken_forms import ATTACHED_ONLY, CURRENCIES, FRACTIONS, MAGNITUDE_WORDS, MAGNITUDES, MONTH_NAMES, MONTHS, UNITS

NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_CURRENCY = "|".join(re.escape(symbol) for symbol in sorted(CURRENCIES, key=len, reverse=True))
UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s?(?:([ap])\.?m\.?)?", re.IGNORECASE)
_HOUR = re.compile(r"(\d{1,2})([ap])\.?m\.?", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MONEY = re.compile(rf"([-−]?)({_CURRENCY})({NUMBER})(k|mn?|bn?|tn?)?", re.IGNORECASE)
_MONEY_AFTER = re.compile(rf"({NUMBER})(k|mn?|bn?)?(€|£|¥|\$)", re.IGNORECASE)
_MEASURE = re.compile(rf"([-−+]?(?:{NUMBER}))({UNIT})")
_ORDINAL = re.compile(r"(\d[\d,]*)(?:st|nd|rd|th)", re.IGNORECASE)
_DECADE = re.compile(r"['’]?(\d0|\d{3}0)['’]?s")
_PHONE = re.compile(r"\+?\(?\d{1,4}\)?(?:[-.]\(?\d{2,4}\)?){1,4}")
_RANGE = re.compile(rf"({NUMBER})[-–—]({NUMBER})")
_RATIO = re.compile(r"(\d+):(\d+)")
_FRACTION = re.compile(r"(\d{1,3})/(\d{1,3})")
_VERSION = re.compile(r"v?\d+(?:\.\d+){2,}|v\d+(?:\.\d+)*", re.IGNORECASE)
_FEET = re.compile(r"(\d+)['’′](?:(\d+)(?:[\"”″]|'')?)?")
_PLAIN_NUMBER = re.compile(rf"[-−+]?(?:{NUMBER})")
_US_PHONE_GROUP = re.compile(r"\d{3}[-.]\d{4}")


def is_number(text: str) -> bool:
    return _PLAIN_NUMBER.fullmatch(text) is not None


def month_name(text: str) -> str | None:
    if text in MONTH_NAMES:
        return text
    return MONTHS.get(text.lower()) if text[:1].isupper() else None


def _amount(value: str, plural: tuple[str, str]) -> str:
    return plural[0] if value.replace(",", "").lstrip("-−+") in ("1", "1.0") else plural[1]


def _number_in_context(text: str, context: Context) -> str:
    """Years are read in pairs, days of months as ordinals, everything else as a number."""
    plain = text.isdecimal()
    value = int(text) if plain and len(text) < numbers.LONGEST else -1
    before, after = context.core(-1), context.core(1)
    if plain and len(text) <= 2 and 1 <= value <= 31:
        if month_name(before):
            return numbers.ordinal(value)
        if month_name(after) and not context.ends_clause(0):
            return f"{'' if before.lower() == 'the' else 'the '}{numbers.ordinal(value)} of"
    if plain and len(text) == 4 and not text.startswith("0"):
        known_year = before.lower() in {
            "in",
            "since",
            "until",
            "till",
            "by",
            "from",
            "of",
            "year",
            "circa",
            "ad",
            "to",
            "before",
            "after",
            "during",
        } or month_name(before)
        if 1100 <= value <= 2099 or (known_year and value >= 1000):
            return numbers.year(value)
    if plain and len(text) == 5 and not text.startswith("0") and re.fullmatch(r"[A-Z]{2}", before):
        return numbers.digits(text)  # a postal code after a state: "Beverly Hills, CA 90210"
    return numbers.number(text)


def _read_date(day_first: tuple[int, int], year: str | None) -> str | None:
    month, day = day_first
    if month > 12 >= day:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    words = f"{MONTH_NAMES[month - 1]} {numbers.ordinal(day)}"
    if year is None:
        return words
    if len(year) == 2:
        year = f"{'19' if int(year) > 40 else '20'}{year}"
    return f"{words}, {numbers.year(int(year))}"


def time(core: str, context: Context) -> str | None:
    match = _TIME.fullmatch(core)
    if match is None:
        hour = _HOUR.fullmatch(core)
        if hour is None:
            return None
        return f"{numbers.cardinal(int(hour[1]))} {hour[2].upper()}.M"
    hours, minutes, seconds, half = int(match[1]), int(match[2]), match[3], match[4]
    if hours > 24 or minutes > 59 or (seconds and int(seconds) > 59):
        return None
    words = numbers.cardinal(hours)
    followed = context.core(1).lower().rstrip(".") in {"am", "pm", "a.m", "p.m", "o'clock"}
    if minutes:
        words += f" {'oh ' if minutes < 10 else ''}{numbers.cardinal(minutes)}"
    elif not half and not seconds and not followed:
        words += " hundred" if hours > 12 else " o'clock"
    if seconds:
        words += f" and {numbers.cardinal(int(seconds))} second{'' if int(seconds) == 1 else 's'}"
    return f"{words} {half.upper()}.M" if half else words


def date(core: str, context: Context) -> str | None:
    if match := _DATE.fullmatch(core):
        return _read_date((int(match[1]), int(match[2])), match[3])
    if match := _ISO_DATE.fullmatch(core):
        return _read_date((int(match[2]), int(match[3])), match[1])
    return None


def money(core: str, context: Context) -> str | None:
    match = _MONEY.fullmatch(core)
    if match:
        sign, symbol, value, short = match.groups()
    elif match := _MONEY_AFTER.fullmatch(core):
        value, short, symbol = match.groups()
        sign = ""
    else:
        return None
    names = CURRENCIES[symbol.upper()]
    minus = "minus " if sign else ""
    if short:
        return f"{minus}{numbers.number(value)} {MAGNITUDES[short.lower()]} {names[1]}"
    if context.core(1).lower() in MAGNITUDE_WORDS:
        return f"{minus}{numbers.number(value)}"  # the magnitude that follows says the currency
    whole, point, fraction = value.replace(",", "").partition(".")
    if not point or len(fraction) != 2:
        return f"{minus}{numbers.number(value)} {_amount(value, names[:2])}"
    parts: list[str] = []
    if whole and int(whole):
        parts.append(f"{numbers.number(whole)} {_amount(whole, names[:2])}")
    if int(fraction) or not parts:
        parts.append(f"{numbers.cardinal(int(fraction))} {names[2] if int(fraction) == 1 else names[3]}")
    return minus + " and ".join(parts)


def magnitude_of_money(core: str, context: Context) -> str | None:
    """ "million" in "$5 million" says the currency too."""
    if core.lower() not in MAGNITUDE_WORDS:
        return None
    before = _MONEY.fullmatch(context.core(-1))
    if before is None or before[4]:
        return None
    return f"{core} {CURRENCIES[before[2].upper()][1]}"


def measure(core: str, context: Context) -> str | None:
    match = _MEASURE.fullmatch(core)
    if match:
        value, unit = match.groups()
        return f"{numbers.number(value)} {_amount(value, UNITS[unit])}"
    if match := _FEET.fullmatch(core):
        feet = f"{numbers.number(match[1])} {_amount(match[1], UNITS['ft'])}"
        return f"{feet} {numbers.number(match[2])}" if match[2] else feet
    before = context.core(-1)
    if core == "km/h":
        return _amount(before, UNITS[core])
    if core in UNITS and core not in ATTACHED_ONLY and is_number(before) and not context.ends_clause(-1):
        return _amount(before, UNITS[core])
    return None


def ordinal(core: str, context: Context) -> str | None:
    if match := _ORDINAL.fullmatch(core):
        value = match[1].replace(",", "")
        return numbers.ordinal(int(value)) if len(value) < numbers.LONGEST else None
    if match := _DECADE.fullmatch(core):
        value = int(match[1])
        return numbers.plural_of(numbers.year(value) if value >= 1000 else numbers.cardinal(value))
    return None


def _spaced_phone(core: str, context: Context) -> bool:
    """Whether a group of digits is part of a telephone number written with spaces: "+44 20 7946 0958", "0800 123 456"."""
    first = last = context.index
    while first > 0 and re.fullmatch(r"[+(]*\d{1,4}[)]?", context.words[first - 1]):
        first -= 1
    while last + 1 < len(context.words) and context.core(last + 1 - context.index).isdecimal() and not context.ends_clause(last - context.index):
        last += 1
    start = context.words[first]
    count = sum(character.isdecimal() for word in context.words[first : last + 1] for character in word)
    return last - first >= 2 and start.lstrip("(")[:1] in ("+", "0") and 8 <= count <= 14


def phone(core: str, context: Context) -> str | None:
    groups = re.findall(r"\d+", core)
    if re.fullmatch(r"\+?\d{1,4}", core) and _spaced_phone(core, context):
        return f"{'plus ' if core.startswith('+') else ''}{numbers.digits(core)}"
    if re.fullmatch(r"\d{3}", core) and context.core(-1).lower() in ("call", "dial", "called", "dialed"):
        return numbers.digits(core)
    count = sum(len(group) for group in groups)
    following = re.findall(r"\d+", context.core(1))
    area = re.fullmatch(r"\(?\+?\d{1,4}\)?", context.words[context.index].strip(",;")) and (
        context.words[context.index].startswith(("(", "+")) and following and sum(map(len, following)) in (3, 7, 10)
    )
    if area or (_PHONE.fullmatch(core) and (count in (10, 11, 12) or (count == 7 and _US_PHONE_GROUP.fullmatch(core)))):
        plus = "plus " if core.startswith("+") else ""
        return plus + ", ".join(numbers.digits(group) for group in groups)
    return None


def number_like(core: str, context: Context) -> str | None:
    if is_number(core):
        if context.core(-1) in CURRENCIES:
            return f"{numbers.number(core)} {_amount(core, CURRENCIES[context.core(-1)][:2])}"
        return _number_in_context(core, context)
    if match := _FRACTION.fullmatch(core):
        over, under = int(match[1]), int(match[2])
        if over == under and over >= 10:
            return f"{numbers.cardinal(over)} {numbers.cardinal(under)}"  # fifty-fifty, twenty-twenty
        if under in FRACTIONS and over < under:
            mixed = "and " if context.core(-1).isdecimal() and not context.ends_clause(-1) else ""  # 2 1/2
            return mixed + f"{numbers.cardinal(over)} {FRACTIONS[under][0 if over == 1 else 1]}"
        return f"{numbers.cardinal(over)} over {numbers.cardinal(under)}"
    if match := _RANGE.fullmatch(core):
        return f"{_number_in_context(match[1], context)} to {_number_in_context(match[2], context)}"
    if match := re.fullmatch(rf"({NUMBER})[-–]({NUMBER})(%|{UNIT})", core):
        return f"{numbers.number(match[1])} to {numbers.number(match[2])} {UNITS[match[3]][1]}"
    if match := _RATIO.fullmatch(core):
        return f"{numbers.cardinal(int(match[1]))} to {numbers.cardinal(int(match[2]))}"
    if _VERSION.fullmatch(core):
        said = " point ".join(numbers.number(part) for part in core.lstrip("vV").split("."))
        return f"version {said}" if core[0] in "vV" else said
    if match := re.fullmatch(rf"({NUMBER})(k|bn|mn)", core):
        return f"{numbers.number(match[1])} {MAGNITUDES[match[2]]}"
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)[eE]([-+]?)(\d+)", core):
        return f"{numbers.number(match[1])} times ten to the {'minus ' if match[2] == '-' else ''}{numbers.cardinal(int(match[3]))}"
    if match := re.fullmatch(r"(\d{3,4})([pi])", core):
        return f"{numbers.number(match[1]) if len(match[1]) == 3 else numbers.year(int(match[1]))} {match[2].upper()}"
    return None
