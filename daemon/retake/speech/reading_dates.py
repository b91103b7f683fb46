"""How dates and times of day are read: rules of `speech.reading`, each returning what is said or None."""

from __future__ import annotations

import re

from . import numbers
from .reading_context import Context, split
from .spoken_forms import MONTH_NAMES, MONTHS, WEEKDAYS

_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s?(?:([ap])\.?m\.?)?", re.IGNORECASE)
_HOUR = re.compile(r"(\d{1,2})([ap])\.?m\.?", re.IGNORECASE)
_TIMES = re.compile(r"([\d:.]+(?:[ap]\.?m\.?)?)[-–]([\d:.]+(?:[ap]\.?m\.?)?)", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})")
_DOTTED_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}:\d{2})(?::\d{2})?Z?)?")
_SHORT_DATE = re.compile(r"(\d{1,2})/(\d{1,2})")
_SEASON = re.compile(r"((?:19|20)\d{2})/(\d{2})")
_LAST_SHORT_YEAR = 40  # "40" is 2040, "41" is 1941


def month_name(text: str) -> str | None:
    """The month that `text` names or abbreviates, else None."""
    if text in MONTH_NAMES:
        return text
    return MONTHS.get(text.lower()) if text[:1].isupper() else None


def _month_and_day(month: int, day: int, year: str | None) -> str | None:
    if month > 12 >= day:
        month, day = day, month
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    words = f"{MONTH_NAMES[month - 1]} {numbers.ordinal(day)}"
    if year is None:
        return words
    if len(year) == 2:
        year = f"{'19' if int(year) > _LAST_SHORT_YEAR else '20'}{year}"
    return f"{words}, {numbers.year(int(year))}"


def date(core: str, context: Context) -> str | None:
    """Dates in figures: 3/4/2025 (month first unless that is no month), 2025-03-04, 4.3.2025 (day first), on 3/4, the 2024/25 season."""
    if match := _DATE.fullmatch(core):
        return _month_and_day(int(match[1]), int(match[2]), match[3])
    if match := _DOTTED_DATE.fullmatch(core):
        return _month_and_day(int(match[2]), int(match[1]), match[3])
    if match := _ISO_DATE.fullmatch(core):
        said = _month_and_day(int(match[2]), int(match[3]), match[1])
        clock = time(match[4], context) if match[4] else None
        return f"{said}, {clock}" if said and clock else said
    if match := _SEASON.fullmatch(core):
        return f"{numbers.year(int(match[1]))} {numbers.cardinal(int(match[2]))}"
    before = context.core(-1).lower()
    if (match := _SHORT_DATE.fullmatch(core)) and (before in {"on", "since", "until"} or before in WEEKDAYS or before in WEEKDAYS.values()):
        return _month_and_day(int(match[1]), int(match[2]), None)
    return None


def time(core: str, context: Context) -> str | None:
    """Times of day and ranges of them: 9:05, 5:30pm, 3pm, 9am-5pm, 17:00, 2:05:30."""
    if re.fullmatch(r"\d{1,2}\.\d{2}", core) and context.core(1).lower() in {"am", "pm", "a.m", "p.m"}:
        core = core.replace(".", ":")  # 8.30 pm
    match = _TIME.fullmatch(core)
    if match is None:
        if hour := _HOUR.fullmatch(core):
            return f"{numbers.cardinal(int(hour[1]))} {hour[2].upper()}.M"
        return _half_of_day(core, context) or _time_range(core, context)
    hours, minutes, seconds, half = int(match[1]), int(match[2]), match[3], match[4]
    if hours > 24 or minutes > 59 or (seconds and int(seconds) > 59):
        return None
    if not (hours or minutes or half or seconds):
        return "midnight"
    words = numbers.cardinal(hours)
    followed = context.core(1).lower().rstrip(".") in {"am", "pm", "a.m", "p.m", "o'clock"}
    if minutes:
        words += f" {'oh ' if minutes < 10 else ''}{numbers.cardinal(minutes)}"
    elif not half and not seconds and not followed:
        words += " hundred" if hours > 12 else " o'clock"
    if seconds:
        words += f" and {numbers.cardinal(int(seconds))} second{'' if int(seconds) == 1 else 's'}"
    return f"{words} {half.upper()}.M" if half else words


def _half_of_day(core: str, context: Context) -> str | None:
    """ "pm" after a number is P.M.; "am" elsewhere is a word."""
    before = context.core(-1)
    if core.lower() in {"am", "pm"} and re.fullmatch(r"\d{1,2}(?:[:.]\d{2})?", before) and not context.ends_clause(-1):
        return f"{core[0].upper()}.M"
    return None


def _time_range(core: str, context: Context) -> str | None:
    match = _TIMES.fullmatch(core)
    if match is None or not any(":" in part or part[-1].isalpha() for part in match.groups()):
        return None
    start, end = (time(part, Context([part], 0)) or (numbers.number(part) if part.isdecimal() else None) for part in match.groups())
    return f"{start}{'.' if re.search(r'[.]M$', start) else ''} to {end}" if start and end else None


def weekday(core: str, context: Context) -> str | None:
    """ "Mon" before a month, a number or a comma and one of them: "Mon, Mar 3"."""
    name = WEEKDAYS.get(core.lower())
    if name is None or not core[:1].isupper():
        return None
    dotted = split(context.words[context.index])[2].startswith(".")
    following = context.core(1)
    if month_name(following) or following[:1].isdecimal() or (dotted and core.lower() not in {"sun", "sat", "mon"}):
        return name
    return None
