"""Numbers as English words (American reading, no "and"): cardinals, ordinals, years, decimals, digit strings, Roman numerals."""

from __future__ import annotations

_ONES = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
_TENS = ["zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ("", "thousand", "million", "billion", "trillion", "quadrillion")
_IRREGULAR_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
LONGEST = 18  # digits beyond which a number is read digit by digit


def _below_thousand(value: int) -> str:
    words: list[str] = []
    hundreds, rest = divmod(value, 100)
    if hundreds:
        words += [_ONES[hundreds], "hundred"]
    if rest >= 20:
        tens, ones = divmod(rest, 10)
        words.append(_TENS[tens] + (f"-{_ONES[ones]}" if ones else ""))
    elif rest or not words:
        words.append(_ONES[rest])
    return " ".join(words)


def cardinal(value: int) -> str:
    """1234 -> "one thousand two hundred thirty-four". Works up to 18 digits; raises ValueError beyond."""
    if value < 0:
        return f"minus {cardinal(-value)}"
    if value >= 10**LONGEST:
        raise ValueError("too long to be read as one number")
    if value < 1000:
        return _below_thousand(value)
    groups: list[str] = []
    scale = 0
    while value:
        value, group = divmod(value, 1000)
        if group:
            groups.append(f"{_below_thousand(group)} {_SCALES[scale]}".strip())
        scale += 1
    return " ".join(reversed(groups))


def ordinal(value: int) -> str:
    """21 -> "twenty-first"."""
    return ordinal_of(cardinal(value))


def ordinal_of(words: str) -> str:
    """Ordinal of number words: "twenty-one" -> "twenty-first"."""
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last in _IRREGULAR_ORDINALS:
        last = _IRREGULAR_ORDINALS[last]
    elif last.endswith("y"):
        last = f"{last[:-1]}ieth"
    else:
        last = f"{last}th"
    return words[:cut] + last


def plural_of(words: str) -> str:
    """Plural of number words: "nineteen ninety" -> "nineteen nineties", "six" -> "sixes"."""
    if words.endswith("y"):
        return f"{words[:-1]}ies"
    return f"{words}es" if words.endswith("x") else f"{words}s"


def year(value: int) -> str:
    """1999 -> "nineteen ninety-nine", 1905 -> "nineteen oh five", 2005 -> "two thousand five", 1900 -> "nineteen hundred"."""
    century, rest = divmod(value, 100)
    if not 10 <= century <= 99 or (century % 10 == 0 and rest < 10):
        return cardinal(value)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def digits(text: str) -> str:
    """ "0147" -> "zero one four seven"; anything that is no digit is left out."""
    return " ".join(_ONES[int(character)] for character in text if character.isdecimal())


def number(text: str) -> str:
    """A written number: "1,234.50", ".5", "007", "-4", "90210". Digits after the point are read one by one."""
    sign = ""
    if text[:1] in "-−+" and text:
        sign = "plus " if text[0] == "+" else "minus "
        text = text[1:]
    whole, point, fraction = text.replace(",", "").partition(".")
    words = digits(whole) if len(whole) > LONGEST or (len(whole) > 1 and whole.startswith("0")) else cardinal(int(whole)) if whole else ""
    if point and fraction:
        words = f"{words} point {digits(fraction)}".strip()
    return sign + words


def roman(text: str) -> int | None:
    """ "XIV" -> 14; None when `text` is no well-formed Roman numeral."""
    total = 0
    for index, character in enumerate(text):
        if character not in _ROMAN:
            return None
        value = _ROMAN[character]
        following = _ROMAN.get(text[index + 1], 0) if index + 1 < len(text) else 0
        total += -value if following > value else value
    return total if text and to_roman(total) == text else None


def to_roman(value: int) -> str:
    """14 -> "XIV"."""
    out = ""
    for step, symbol in (
        (1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4,
        "IV"), (1, "I"),
    ):  # fmt: skip
        count, value = divmod(value, step)
        out += symbol * count
    return out
