"""How one written word is read aloud, given its neighbours: the rules behind `speech.text`.

A written word is what stands between two spaces. Its opening and closing punctuation is cut off first, the core between
them is read by the first rule that knows it, and what no rule knows is left as it is: the pronouncing dictionary reads
ordinary words, names and most acronyms better than rules could.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from . import numbers
from .reading_addresses import address, spell
from .reading_context import Context, split
from .reading_dates import date, month_name, time, weekday
from .reading_measures import currency, is_number, magnitude_of_money, measure, money
from .reading_numbers import number_like, ordinal, phone
from .spoken_forms import ABBREVIATIONS, BEFORE_NUMBER, MONTHS, NUMBERED, PLAIN, REGNAL, SAID_AS_WORDS, SYMBOLS

_INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]\.?")
_PIECES = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?|[^\W\d_]+(?:['’][^\W\d_]+)*|[-–—/]+|\.|[^\w\s]|_")
_KEPT = frozenset("'-.,;:!?—…\"() ")
_BRACKETS = str.maketrans("[]{}", "()()")  # the dictionary takes square brackets for its own notation


def _with_sign(core: str, context: Context) -> str | None:
    if match := re.fullmatch(r"#(\d+)", core):
        return f"number {numbers.number(match[1])}"
    if match := re.fullmatch(r"#(\w+)", core):
        return f"hashtag {_camel(match[1])}"
    if match := re.fullmatch(r"@(\w+)", core):
        return f"at {_camel(match[1])}"
    if match := re.fullmatch(r"([^\W\d_]{1,3})&([^\W\d_]{1,3})", core):
        return f"{spell(match[1])} and {spell(match[2])}"
    return None


def _camel(name: str) -> str:
    """As in "goodMorning_all" -> "good Morning all"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_+", " ", name).strip()


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
    if lower == "et" and context.core(1).lower() == "al":
        return "and"  # et al.
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
        if lower in {"min", "ft", "in", "sec"} and is_number(context.core(-1)):
            return None  # units
        if lower == "al" and context.core(-1).lower() == "et":
            return "others"
        if (month := month_name(core)) and lower in MONTHS:
            return month
        if lower == "co" and context.core(-1)[:1].isupper():
            return "company"
        if lower in BEFORE_NUMBER and following[:1].isdecimal():
            return BEFORE_NUMBER[lower]
        if lower in ABBREVIATIONS and lower not in {"al", "est", "fig", "gen", "rep", "col", "sen", "hon", "rev"}:
            return ABBREVIATIONS[lower].rstrip(".")
        if lower in ABBREVIATIONS and (following[:1].isupper() or following[:1].isdecimal() or lower == "al"):
            return ABBREVIATIONS[lower]
    if core in MONTHS.values():
        return None
    if month_name(core) and following[:1].isdecimal() and lower != "may":
        return month_name(core)
    return None


def _symbol(core: str, context: Context) -> str | None:
    if context.index == 0 and len(context.words) > 1 and (re.fullmatch(r"#{1,6}|>+", core)):
        return ""  # a heading or a quotation of Markdown
    if core in ("-", "–", "—", "--"):
        before, after = context.core(-1), context.core(1)
        if is_number(before) and is_number(after):
            return "minus" if core == "-" and context.index + 2 < len(context.words) and context.core(2) == "=" else "to"
        return "—"
    if core in ("x", "×") and is_number(context.core(-1)) and is_number(context.core(1)):
        sized = context.core(2).islower() and not context.ends_clause(1)  # "1,920 × 1,080 pixels"
        return "by" if core == "x" or sized else "times"
    if core == "/":
        return ""
    return SYMBOLS.get(core)


def _pieces(core: str, context: Context) -> str | None:
    """Mixtures: COVID-19, MP3, H.264, and/or, mid-1990s, C3PO. Numbers become words, the letters stay."""
    if core in SAID_AS_WORDS:
        return SAID_AS_WORDS[core]
    core = core.strip("*_").replace("~~", "") or core  # marks of Markdown
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
            if piece in ("-", "–") and _is_range(core):
                out += " to "
            elif re.fullmatch(r"[-–—/…]+", piece):
                out += " — " if "—" in piece or len(piece) > 1 else "… " if piece == "…" else " "
            elif piece:
                out += _read_core(piece, Context([piece], 0))
        return out
    said: list[str] = []
    core = re.sub(r"(?<=\d)[*·](?=\d)", "×", core)
    for piece in _PIECES.findall(core):
        if piece[0].isdecimal():
            if len(piece) == 4 and said and 1900 <= int(float(piece.replace(",", ""))) <= 2099:
                said.append(numbers.year(int(piece)))  # "FY2023"
                continue
            single = piece.isdecimal() and len(piece) >= 3 and bool(said) and not piece.endswith("00")  # the digits of a name: "H.264"
            said.append(numbers.digits(piece) if single else numbers.number(piece))
        elif piece[0].isalpha():
            letter = len(piece) == 1 and any(character.isdecimal() for character in core)  # "b2b": said as letters
            initials = len(piece) == 2 and piece.isupper()  # "2FA"
            said.append(spell(piece) if letter or initials else SAID_AS_WORDS.get(piece, str(piece)))
        elif piece in SYMBOLS:
            said.append(SYMBOLS[piece])
    return " ".join(said)


def _is_range(core: str) -> bool:
    """Whether both sides of a dash are figures with something around: "$20–$30", "9:00-10:30"."""
    sides = re.split(r"[-–]", core)
    return len(sides) == 2 and all(re.fullmatch(r"[^\w\s]*\d[\d:.,]*[^\w\s]*", side) for side in sides)


_RULES: tuple[Callable[[str, Context], str | None], ...] = (
    _abbreviation, time, date, weekday, money, magnitude_of_money, currency, address, phone, ordinal, measure, number_like, _with_sign, _roman,
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


def speakable(said: str) -> str:
    """Only what the dictionary and the voice know: letters, punctuation, spaces. Small raised and broken numbers become words."""
    out = "".join(f" {SYMBOLS[c]} " if c in "²³½¼¾" else c if c.isalpha() or c in _KEPT else " " if c.isspace() else "" for c in said)
    return " ".join(out.split())


def _quoted(context: Context) -> bool:
    """Whether the word stands in quotes that were opened before it, or with it."""
    before = context.words[: context.index + 1]
    opened = sum(word.startswith('"') for word in before)
    return opened > sum(word.rstrip(".,;:!?").endswith('"') and not split(word)[1][-1:].isdecimal() for word in before[:-1])


def read(context: Context) -> str:
    """Spoken form of the written word at `context.index`, with the punctuation that shapes the melody. May be empty or several words."""
    word = context.words[context.index]
    opening, core, closing = split(word)
    if core and core[-1:].isdecimal() and closing[:1] in ("'", '"', "”", "’") and re.fullmatch(r"\d+['’]\d+|\d+", core) and "'" in core + closing:
        core, closing = core + closing[0], closing[1:]  # feet and inches: 5'11"
    if closing[:1] in ('"', "”") and re.fullmatch(r"\d+(?:\.\d+)?", core) and not _quoted(context):
        core, closing = core + closing[0], closing[1:]  # inches: a 27" screen
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
    return speakable(f"{opening}{said}{closing}".translate(_BRACKETS))
