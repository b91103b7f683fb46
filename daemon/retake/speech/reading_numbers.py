"""How numbers are read: plain ones, years, ordinals, fractions, ranges, versions, telephone numbers.

Every rule takes the core of a written word and its context, and returns what is said or None if the word is not its business.
"""

from __future__ import annotations

import re

from . import numbers
from .reading_context import Context
from .reading_dates import month_name
from .reading_measures import NUMBER, amount, is_number
from .spoken_forms import BROKEN, COUNTED, CURRENCIES, FRACTIONS, FRACTIONS_BY_ORDINAL, MAGNITUDES, NO_PLURALS, NUMBERED_PLACES

_ORDINAL = re.compile(r"(\d[\d,]*)(?:st|nd|rd|th)", re.IGNORECASE)
_DECADE = re.compile(r"['’]?(\d0|\d{3}0)['’]?s")
_PHONE = re.compile(r"\+?\(?\d{1,4}\)?(?:[-.]\(?\d{2,4}\)?){1,4}")
_RANGE = re.compile(rf"({NUMBER})[-–—]({NUMBER})")
_RATIO = re.compile(r"(\d+):(\d+)")
_FRACTION = re.compile(r"(\d{1,3})/(\d{1,3})")
_MIXED = re.compile(rf"(\d+)?([{''.join(BROKEN)}])")
_VERSION = re.compile(r"v?\d+(?:\.\d+){2,}|v\d+(?:\.\d+)*", re.IGNORECASE)
_US_PHONE_GROUP = re.compile(r"\d{3}[-.]\d{4}")
_YEAR_BEFORE = frozenset("in since until till year circa ad before after during".split())  # noqa: SIM905
_YEAR_OR_COUNT_BEFORE = frozenset({"by", "from", "of", "to"})
_FIRST_YEAR, _LAST_YEAR = 1100, 2099  # four figures between them are taken for a year where nothing tells


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
    if plain and len(text) == 4 and not text.startswith("0") and (before.lower() in NUMBERED_PLACES or _is_year(value, context)):
        return numbers.year(value)
    if plain and len(text) == 5 and not text.startswith("0") and re.fullmatch(r"[A-Z]{2}", before):
        return numbers.digits(text)  # a postal code after a state: "Beverly Hills, CA 90210"
    return numbers.number(text)


def _is_year(value: int, context: Context) -> bool:
    before = context.core(-1).lower()
    dated = month_name(context.core(-1)) or (context.core(-1)[:1].isdecimal() and month_name(context.core(-2)))  # May 2024, May 5, 2024
    told = before in _YEAR_BEFORE or bool(dated)
    if not told and _counts(context) and value % 100:  # "1500 people" are fifteen hundred either way
        return False
    return _FIRST_YEAR <= value <= _LAST_YEAR or ((told or before in _YEAR_OR_COUNT_BEFORE) and value >= 1000)


def _counts(context: Context) -> bool:
    """Whether what follows is counted: "1850 units"."""
    following = context.core(1)
    plural = following.isalpha() and following.islower() and len(following) > 3 and following.endswith("s") and not following.endswith("ss")
    return not context.ends_clause(0) and (following in COUNTED or (plural and following not in NO_PLURALS))


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
    while first > 0 and re.fullmatch(r"[+(]*\d{1,8}[)]?", context.words[first - 1]):
        first -= 1
    while last + 1 < len(context.words) and context.core(last + 1 - context.index).isdecimal() and not context.ends_clause(last - context.index):
        last += 1
    start = context.words[first]
    count = sum(character.isdecimal() for word in context.words[first : last + 1] for character in word)
    return last - first >= 2 and start.lstrip("(")[:1] in ("+", "0") and 8 <= count <= 14


def phone(core: str, context: Context) -> str | None:
    groups = re.findall(r"\d+", core)
    if re.fullmatch(r"\+?\d{1,8}", core) and _spaced_phone(core, context):
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


def _spaced_thousands(core: str, context: Context) -> str | None:
    """Thousands parted by spaces, "10 000": all is said with the first group. Other groups than 000 need company: "1 250 000"."""
    if not re.fullmatch(r"[1-9]\d{0,2}|\d{3}", core):
        return None
    first = last = context.index
    while re.fullmatch(r"\d{3}", context.words[last]) is not None or last == context.index:
        if (
            last + 1 >= len(context.words)
            or context.ends_clause(last - context.index)
            or not re.fullmatch(r"\d{3}", context.core(last + 1 - context.index))
        ):
            break
        last += 1
    while len(context.words[first]) == 3 and first > 0 and re.fullmatch(r"\d{1,3}", context.words[first - 1]):
        first -= 1
    groups = [context.core(place - context.index) for place in range(first, last + 1)]
    whole = "".join(groups)
    if groups[0].startswith("0") or not (groups[-1] == "000" or len(groups) > 2) or len(groups) == 1 or len(whole) >= numbers.LONGEST:
        return None
    return numbers.cardinal(int(whole)) if context.index == first else ""


def _part(over: int, under: int) -> str:
    """ "three quarters", "five sixteenths"."""
    if under in FRACTIONS:
        return f"{numbers.cardinal(over)} {FRACTIONS[under][0 if over == 1 else 1]}"
    return f"{numbers.cardinal(over)} {numbers.ordinal(under)}{'' if over == 1 else 's'}"


def _fraction(core: str, context: Context) -> str | None:
    article = context.core(-1).lower() in {"a", "an"}
    if match := _MIXED.fullmatch(core):
        part = _part(*BROKEN[match[2]])
        return f"{numbers.cardinal(int(match[1]))} and {part}" if match[1] else part.removeprefix("one ") if article else part
    match = _FRACTION.fullmatch(core)
    if match is None or not int(match[2]):
        return None
    over, under = int(match[1]), int(match[2])
    if over == under and over >= 10:
        return f"{numbers.cardinal(over)} {numbers.cardinal(under)}"  # fifty-fifty, twenty-twenty
    if (under in FRACTIONS or under in FRACTIONS_BY_ORDINAL) and 0 < over < under:
        mixed = "and " if context.core(-1).isdecimal() and not context.ends_clause(-1) else ""  # 2 1/2
        part = _part(over, under)
        return mixed + (part.removeprefix("one ") if article else part)
    return f"{numbers.cardinal(over)} over {numbers.cardinal(under)}"


def _power(core: str) -> str | None:
    match = re.fullmatch(rf"({NUMBER}|[A-Za-z])\^(-?)(\d{{1,3}})", core)
    if match is None:
        return None
    base = numbers.number(match[1]) if match[1][-1].isdecimal() else match[1].upper()
    if not match[2] and match[3] in ("2", "3"):
        return f"{base} {'squared' if match[3] == '2' else 'cubed'}"
    return f"{base} to the {'minus ' if match[2] else ''}{numbers.ordinal(int(match[3]))}"


def number_like(core: str, context: Context) -> str | None:
    if (thousands := _spaced_thousands(core, context)) is not None:
        return thousands
    if is_number(core):
        if context.core(-1) in CURRENCIES and not context.ends_clause(-1) and not is_number(context.core(-2)):
            return f"{numbers.number(core)} {amount(core, CURRENCIES[context.core(-1)][:2])}"
        return _number_in_context(core, context)
    if (said := _fraction(core, context) or _power(core)) is not None:
        return said
    if match := _RANGE.fullmatch(core):
        return f"{_number_in_context(match[1], context)} to {_number_in_context(match[2], context)}"
    if match := _RATIO.fullmatch(core):
        return f"{numbers.cardinal(int(match[1]))} to {numbers.cardinal(int(match[2]))}"
    if _VERSION.fullmatch(core):
        said = " point ".join(numbers.number(part) for part in core.lstrip("vV").split("."))
        return f"version {said}" if core[0] in "vV" else said
    if match := re.fullmatch(rf"({NUMBER})(k|bn|mn)", core):
        return f"{numbers.number(match[1])} {MAGNITUDES[match[2]]}"
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)[eE]([-+]?)(\d+)", core):
        return f"{numbers.number(match[1])} times ten to the {'minus ' if match[2] == '-' else ''}{numbers.cardinal(int(match[3]))}"
    if match := re.fullmatch(r"(\d{3,4})([pi])(\d{2,3})?", core):
        lines = numbers.number(match[1]) if len(match[1]) == 3 else numbers.year(int(match[1]))
        return f"{lines} {match[2].upper()}{' ' + numbers.number(match[3]) if match[3] else ''}"
    return None
