"""How one written word is read aloud, given its neighbours: the rules behind `speech.text`.

A written word is what stands between two spaces. Its opening and closing punctuation is cut off first, the core between
them is read by the first rule that knows it, and what no rule knows is left as it is: the pronouncing dictionary reads
ordinary words, names and most acronyms better than rules could.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import numbers
from .spoken_forms import (
    ABBREVIATIONS,
    ATTACHED_ONLY,
    BEFORE_NUMBER,
    CURRENCIES,
    DOMAIN_WORDS,
    FRACTIONS,
    MAGNITUDE_WORDS,
    MAGNITUDES,
    MONTH_NAMES,
    MONTHS,
    NUMBERED,
    PLAIN,
    REGNAL,
    SAID_AS_WORDS,
    SYMBOLS,
    UNITS,
)

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_CURRENCY = "|".join(re.escape(symbol) for symbol in sorted(CURRENCIES, key=len, reverse=True))
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_OPENING = "([{\"“‘«'¿¡"
_CLOSING = ")]}\"”’»',;:!?…."
_SPLIT = re.compile(rf"^(?P<open>[{re.escape(_OPENING)}]*)(?P<core>.*?)(?P<close>[{re.escape(_CLOSING)}]*)$", re.DOTALL)

_URL = re.compile(r"(?:https?://|www\.)\S+|(?:[a-z0-9-]+\.)+(?:com|org|net|io|ai|gov|edu|dev|app|co|uk|de|eu|info|tv|me)(?:/\S*)?", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?\s?(?:([ap])\.?m\.?)?", re.IGNORECASE)
_HOUR = re.compile(r"(\d{1,2})([ap])\.?m\.?", re.IGNORECASE)
_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_MONEY = re.compile(rf"([-−]?)({_CURRENCY})({_NUMBER})(k|mn?|bn?|tn?)?", re.IGNORECASE)
_MONEY_AFTER = re.compile(rf"({_NUMBER})(k|mn?|bn?)?(€|£|¥|\$)", re.IGNORECASE)
_MEASURE = re.compile(rf"([-−+]?(?:{_NUMBER}))({_UNIT})")
_ORDINAL = re.compile(r"(\d[\d,]*)(?:st|nd|rd|th)", re.IGNORECASE)
_DECADE = re.compile(r"['’]?(\d0|\d{3}0)['’]?s")
_PHONE = re.compile(r"\+?\(?\d{1,4}\)?(?:[-.]\(?\d{2,4}\)?){1,4}")
_RANGE = re.compile(rf"({_NUMBER})[-–—]({_NUMBER})")
_RATIO = re.compile(r"(\d+):(\d+)")
_FRACTION = re.compile(r"(\d{1,3})/(\d{1,3})")
_VERSION = re.compile(r"v?\d+(?:\.\d+){2,}|v\d+(?:\.\d+)*", re.IGNORECASE)
_FEET = re.compile(r"(\d+)['’′](?:(\d+)(?:[\"”″]|'')?)?")
_PLAIN_NUMBER = re.compile(rf"[-−+]?(?:{_NUMBER})")
_INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]\.?")
_PIECES = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)*|[-–—/]+|\.|[^\w\s]|_")
_US_PHONE_GROUP = re.compile(r"\d{3}[-.]\d{4}")


@dataclass(frozen=True)
class Context:
    """The written words of a text and which of them is being read."""

    words: Sequence[str]
    index: int

    def core(self, offset: int) -> str:
        """The word `offset` places away without its punctuation, "" beyond the ends."""
        place = self.index + offset
        return split(self.words[place])[1] if 0 <= place < len(self.words) else ""

    def ends_clause(self, offset: int) -> bool:
        """True when the word `offset` places away closes with punctuation (or does not exist)."""
        place = self.index + offset
        return not 0 <= place < len(self.words) or bool(split(self.words[place])[2])


_KEPT = frozenset("'-.,;:!?—…\"() ")
_BRACKETS = str.maketrans("[]{}", "()()")  # the dictionary takes square brackets for its own notation


def split(word: str) -> tuple[str, str, str]:
    """Opening punctuation, core, closing punctuation. An apostrophe that belongs to the word ("dogs'") counts as closing."""
    match = _SPLIT.match(word)
    if match is None:
        return "", word, ""
    return match["open"], match["core"], match["close"]


def _spell(letters: str) -> str:
    """ "uk" -> "U.K", which the pronouncing dictionary says letter by letter."""
    return ".".join(letters.upper())


def _is_number(text: str) -> bool:
    return _PLAIN_NUMBER.fullmatch(text) is not None


def _month(text: str) -> str | None:
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
        if _month(before):
            return numbers.ordinal(value)
        if _month(after) and not context.ends_clause(0):
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
        } or _month(before)
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


def _time(core: str, context: Context) -> str | None:
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


def _date(core: str, context: Context) -> str | None:
    if match := _DATE.fullmatch(core):
        return _read_date((int(match[1]), int(match[2])), match[3])
    if match := _ISO_DATE.fullmatch(core):
        return _read_date((int(match[2]), int(match[3])), match[1])
    return None


def _money(core: str, context: Context) -> str | None:
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


def _magnitude_of_money(core: str, context: Context) -> str | None:
    """ "million" in "$5 million" says the currency too."""
    if core.lower() not in MAGNITUDE_WORDS:
        return None
    before = _MONEY.fullmatch(context.core(-1))
    if before is None or before[4]:
        return None
    return f"{core} {CURRENCIES[before[2].upper()][1]}"


def _measure(core: str, context: Context) -> str | None:
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
    if core in UNITS and core not in ATTACHED_ONLY and _is_number(before) and not context.ends_clause(-1):
        return _amount(before, UNITS[core])
    return None


def _with_sign(core: str, context: Context) -> str | None:
    if match := re.fullmatch(r"#(\d+)", core):
        return f"number {numbers.number(match[1])}"
    if match := re.fullmatch(r"#(\w+)", core):
        return f"hashtag {_camel(match[1])}"
    if match := re.fullmatch(r"@(\w+)", core):
        return f"at {_camel(match[1])}"
    if match := re.fullmatch(r"([^\W\d_]{1,3})&([^\W\d_]{1,3})", core):
        return f"{_spell(match[1])} and {_spell(match[2])}"
    return None


def _camel(name: str) -> str:
    """ "goodMorning_all" -> "good Morning all"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_+", " ", name).strip()


def _ordinal(core: str, context: Context) -> str | None:
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


def _phone(core: str, context: Context) -> str | None:
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


def _number_like(core: str, context: Context) -> str | None:
    if _is_number(core):
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
    if match := re.fullmatch(rf"({_NUMBER})[-–]({_NUMBER})(%|{_UNIT})", core):
        return f"{numbers.number(match[1])} to {numbers.number(match[2])} {UNITS[match[3]][1]}"
    if match := _RATIO.fullmatch(core):
        return f"{numbers.cardinal(int(match[1]))} to {numbers.cardinal(int(match[2]))}"
    if _VERSION.fullmatch(core):
        said = " point ".join(numbers.number(part) for part in core.lstrip("vV").split("."))
        return f"version {said}" if core[0] in "vV" else said
    if match := re.fullmatch(rf"({_NUMBER})(k|bn|mn)", core):
        return f"{numbers.number(match[1])} {MAGNITUDES[match[2]]}"
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)[eE]([-+]?)(\d+)", core):
        return f"{numbers.number(match[1])} times ten to the {'minus ' if match[2] == '-' else ''}{numbers.cardinal(int(match[3]))}"
    if match := re.fullmatch(r"(\d{3,4})([pi])", core):
        return f"{numbers.number(match[1]) if len(match[1]) == 3 else numbers.year(int(match[1]))} {match[2].upper()}"
    return None


def _address(core: str, context: Context) -> str | None:
    if _EMAIL.fullmatch(core):
        name, _, host = core.partition("@")
        return f"{_address_parts(name)} at {_address_parts(host)}"
    if _URL.fullmatch(core):
        return _address_parts(re.sub(r"^[a-z]+://", "", core, flags=re.IGNORECASE).rstrip("/"))
    return None


def _address_parts(text: str) -> str:
    signs = {
        ".": "dot",
        "/": "slash",
        "-": "dash",
        "_": "underscore",
        "?": "question mark",
        "=": "equals",
        "&": "and",
        "%": "percent",
        "#": "hash",
        ":": "colon",
        "+": "plus",
        "~": "tilde",
    }
    out: list[str] = []
    for piece in re.findall(r"\d+|[^\W\d_]+|[^\w\s]|_", text):
        if piece.isdecimal():
            out.append(numbers.number(piece))
        elif piece.isalpha():
            short = len(piece) <= 2 or piece.lower() == "www"
            said = piece.lower() in DOMAIN_WORDS or piece.lower() in {"me", "my", "go", "us", "to", "by", "do", "at", "or", "on"}
            out.append(_spell(piece) if short and not (said and piece.lower() != "us") else piece)
        elif piece in signs:
            out.append(signs[piece])
    return " ".join(out)


def _roman(core: str, context: Context) -> str | None:
    match = re.fullmatch(r"([IVXLC]+)(['’]s)?", core)
    before = context.core(-1)
    if match is None or context.ends_clause(-1) or not before[:1].isupper():
        return None
    value = numbers.roman(match[1])
    if value is None or value > 99:
        return None
    possessive = match[2] or ""
    name = before.lower()
    if name in NUMBERED:
        return numbers.cardinal(value) + possessive
    if name in REGNAL:
        return f"the {numbers.ordinal(value)}{possessive}"
    if len(match[1]) > 1 and match[1] not in {"XL", "CV", "CI", "IV", "CC", "LI", "DC", "CD", "MC"}:
        return numbers.cardinal(value) + possessive
    return None


def _abbreviation(core: str, context: Context) -> str | None:
    lower = core.lower().replace("’", "'")
    dotted = split(context.words[context.index])[2].startswith(".")
    following = context.core(1)
    if lower in PLAIN and lower not in ("am", "www"):
        ends = split(context.words[context.index])[2] not in ("", ".")  # "Elm Dr.,"
        if lower == "dr" and dotted and context.core(-1)[:1].isupper() and (ends or not following[:1].isupper()):
            return "drive"
        return PLAIN[lower]
    if core == "St" or (lower == "st" and dotted):
        name_before = not context.ends_clause(-1) and (context.core(-1)[:1].isupper() or context.core(-1)[:1].isdecimal())
        return "saint" if following[:1].isupper() and not name_before else "street"
    if dotted or "." in core:
        if lower in {"mt", "ft"} and not following[:1].isupper():
            return None
        if (month := _month(core)) and lower in MONTHS:
            return month
        if lower == "co" and context.core(-1)[:1].isupper():
            return "company"
        if lower in BEFORE_NUMBER and following[:1].isdecimal():
            return BEFORE_NUMBER[lower]
        if lower in ABBREVIATIONS and lower not in {"mon", "al", "est", "fig", "gen", "rep", "col", "sen", "hon", "rev"}:
            return ABBREVIATIONS[lower].rstrip(".")
        if lower in ABBREVIATIONS and (following[:1].isupper() or following[:1].isdecimal() or lower == "al"):
            return ABBREVIATIONS[lower]
    if core in MONTHS.values():
        return None
    if _month(core) and following[:1].isdecimal() and lower not in {"may", "mar"}:
        return _month(core)
    return None


def _symbol(core: str, context: Context) -> str | None:
    if core in CURRENCIES and _is_number(context.core(1)):
        return ""  # said after the number
    if core in ("-", "–", "—", "--"):
        before, after = context.core(-1), context.core(1)
        if _is_number(before) and _is_number(after):
            return "minus" if core == "-" and context.index + 2 < len(context.words) and context.core(2) == "=" else "to"
        return "—"
    if core == "x" and _is_number(context.core(-1)) and context.core(1)[:1].isdecimal():
        return "by"
    if core == "/":
        return ""
    return SYMBOLS.get(core)


def _pieces(core: str, context: Context) -> str | None:
    """Mixtures: COVID-19, MP3, H.264, and/or, mid-1990s, C3PO. Numbers become words, the letters stay."""
    if core in SAID_AS_WORDS:
        return SAID_AS_WORDS[core]
    if core.isalpha() or re.fullmatch(r"[^\W\d_]+(?:['’-][^\W\d_]+)*['’]?", core):
        return None
    if _INITIALS.fullmatch(core):
        return core.upper() if len(core.replace(".", "")) > 1 else None
    if match := re.fullmatch(r"(\w+)/(\w+)", core):
        left, right = (_read_core(part, Context([part], 0)) for part in match.groups())
        joined = match[1].lower() == "and" or len(match[1]) == 1 or (match[1].isupper() and match[2].isupper())
        return f"{left} {right}" if joined else f"{left} or {right}"
    if re.search(r"[-–—/…]", core.strip("-–—/…")):
        out = ""
        for piece in re.split(r"([-–—/…]+)", core):
            if re.fullmatch(r"[-–—/…]+", piece):
                out += " — " if "—" in piece or len(piece) > 1 else "… " if piece == "…" else " "
            elif piece:
                out += _read_core(piece, Context([piece], 0))
        return out
    said: list[str] = []
    core = re.sub(r"(?<=\d)[*·](?=\d)", "×", core)
    for piece in _PIECES.findall(core):
        if piece[0].isdecimal():
            single = piece.isdecimal() and len(piece) >= 3 and bool(said)  # the digits of a name: "H.264"
            said.append(numbers.digits(piece) if single else numbers.number(piece))
        elif piece[0].isalpha():
            letter = len(piece) == 1 and any(character.isdecimal() for character in core)  # "b2b": said as letters
            said.append(str(piece).upper() if letter else SAID_AS_WORDS.get(piece, str(piece)))
        elif piece in SYMBOLS:
            said.append(SYMBOLS[piece])
    return " ".join(said)


_RULES: tuple[Callable[[str, Context], str | None], ...] = (
    _abbreviation, _time, _date, _money, _magnitude_of_money, _phone, _ordinal, _measure, _number_like, _with_sign, _address, _roman,
    _symbol, _pieces,
)  # fmt: skip


def _read_core(core: str, context: Context) -> str:
    for rule in _RULES:
        said = rule(core, context)
        if said is not None:
            break
    else:
        return core
    if any(character.isdecimal() for character in said):  # digits inside a name that a rule passed on
        said = " ".join(re.sub(r"\d+", _digits_in_name, said).split())
    return said


def _digits_in_name(match: re.Match[str]) -> str:
    return f" {numbers.number(match[0])} "


def _speakable(said: str) -> str:
    """Only what the dictionary and the voice know: letters, punctuation, spaces. Small raised and broken numbers become words."""
    out = "".join(f" {SYMBOLS[c]} " if c in "²³½¼¾" else c if c.isalpha() or c in _KEPT else " " if c.isspace() else "" for c in said)
    return " ".join(out.split())


def read(context: Context) -> str:
    """Spoken form of the written word at `context.index`, with the punctuation that shapes the melody. May be empty or several words."""
    word = context.words[context.index]
    opening, core, closing = split(word)
    if core and core[-1:].isdecimal() and closing[:1] in ("'", '"', "”", "’") and re.fullmatch(r"\d+['’]\d+|\d+", core) and "'" in core + closing:
        core, closing = core + closing[0], closing[1:]  # feet and inches: 5'11"
    if opening.endswith(("'", "‘", "’")) and (core[:1].isdecimal() or core.lower() in {"n"}):
        opening, core = opening[:-1], f"'{core}"  # the '80s, rock 'n' roll
    if core.startswith("(") and ")" not in core:
        opening, core = opening + "(", core[1:]
    if core.lower() == "'n" and closing[:1] in ("'", "’"):
        core, closing = "'n'", closing[1:]
    said = _read_core(core, context) if core else ""
    abbreviated = said != core and "." in closing
    if abbreviated:
        last = all(not split(other)[1] for other in context.words[context.index + 1 :])
        sentence_ends = last or (
            closing == "." and context.core(1)[:1].isupper() and core.lower() in {"etc", "inc", "ltd", "co", "corp", "jr", "sr", "a.m", "p.m"}
        )
        if core.lower().replace("’", "'") in ABBREVIATIONS or core.lower() in {"st", "dr", "no", "nos", "co", *MONTHS, *BEFORE_NUMBER}:
            closing = closing if sentence_ends else closing.replace(".", "", 1)
    if re.search(r"\.[A-Z]$", said) and not closing.startswith("."):
        said += "."  # A.M needs its last full stop to be read as letters; at the end of a sentence the closing one does it
    if not said:
        return "".join(c for c in closing if c in ",.;:!?…")
    return _speakable(f"{opening}{said}{closing}".translate(_BRACKETS))
