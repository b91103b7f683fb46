"""The head of a script document: lines "key: value" between two lines of three dashes. Strict, so that a typing error is told and not ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from retake_client.convention import speaker_problem

from .drafts import parse_rate
from .reading import TimelineError

CONFORMS = ("fit", "keep", "ripple")
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)[ \t]*:(?:[ \t]+(.*))?")
_SIZE = re.compile(r"(\d{2,4})[ \t]*[x×][ \t]*(\d{2,4})")
_LARGEST_SEED = 2**31 - 1
_LONGEST_GAP = 1_000_000
KEYS = ("title", "rate", "size", "speaker", "seed", "conform", "gap")


@dataclass(frozen=True)
class FrontMatter:
    """What a script says of all its lines; None: nothing. gap: frames between lines."""

    title: str | None = None
    rate: Fraction | None = None
    size: tuple[int, int] | None = None
    speaker: str | None = None
    seed: int | None = None
    conform: str | None = None
    gap: int = 0

    def parameters(self) -> dict[str, Any]:
        """What holds for a line that says nothing else."""
        out: dict[str, Any] = {}
        if self.seed is not None:
            out["seed"] = self.seed
        if self.size is not None:
            out["width"], out["height"] = self.size
        return out


def split_front_matter(text: str) -> tuple[FrontMatter, str, int]:
    """The head, the rest of the document, and how many lines the head takes.

    Raises TimelineError (bad_front_matter) naming the line.
    """
    lines = text.split("\n")
    if lines[0].rstrip() != "---":
        return FrontMatter(), text, 0
    end = next((number for number, line in enumerate(lines[1:], 1) if line.rstrip() in {"---", "..."}), None)
    if end is None:
        raise _bad(1, "The front matter has no end", "Close it with a line of three dashes.")
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(lines[1:end], 2):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if match is None:
            raise _bad(number, f"'{line.strip()[:60]}' is no 'key: value'", f"Keys are {', '.join(KEYS)}.")
        key = match[1].lower()
        if key not in KEYS:
            raise _bad(number, f"There is no key '{match[1][:40]}'", f"Keys are {', '.join(KEYS)}.")
        if key in found:
            raise _bad(number, f"'{key}' was said in line {found[key][1]} already", "Keep one of them.")
        value = _unquoted((match[2] or "").strip())
        if not value:
            raise _bad(number, f"'{key}' has no value", "Write one, or remove the line.")
        found[key] = (value, number)
    return FrontMatter(**{key: _value(key, value, number) for key, (value, number) in found.items()}), "\n".join(lines[end + 1 :]), end + 1


def format_front_matter(values: Mapping[str, Any]) -> str:
    """The head of a document; values that are None are left out."""
    lines = [f"{key}: {_quoted(str(values[key])) if key == 'title' else values[key]}" for key in KEYS if values.get(key) not in {None, ""}]
    return "\n".join(["---", *lines, "---", ""]) if lines else ""


def _value(key: str, value: str, number: int) -> Any:
    if key == "rate":
        try:
            return parse_rate(value)
        except TimelineError as error:
            raise _bad(number, error.cause.rstrip("."), error.remedy) from error
    if key == "size":
        match = _SIZE.fullmatch(value)
        if match is None or any(not 64 <= int(side) <= 7680 or int(side) % 2 for side in match.groups()):
            raise _bad(number, f"'{value[:40]}' is no size", "Write even sides from 64 to 7680, for example 1920x1080.")
        return int(match[1]), int(match[2])
    if key == "speaker":
        name = value.removeprefix("@").lower()
        problem = speaker_problem(name)
        if problem:
            raise _bad(number, problem.rstrip("."), "Use the name that the speaker was enrolled with.")
        return name
    if key in {"seed", "gap"}:
        most = _LARGEST_SEED if key == "seed" else _LONGEST_GAP
        if not re.fullmatch(r"[0-9]{1,10}", value) or int(value) > most:
            raise _bad(number, f"'{value[:40]}' is no {key}", f"Write a whole number from 0 to {most}{' (frames)' if key == 'gap' else ''}.")
        return int(value)
    if key == "conform" and value not in CONFORMS:
        raise _bad(number, f"'{value[:40]}' is no way to conform", f"Use {', '.join(CONFORMS)}.")
    return value


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1].replace('\\"', '"').replace("\\\\", "\\") if value[0] == '"' else value[1:-1].replace("''", "'")
    return value


def _quoted(value: str) -> str:
    plain = " ".join(value.split())
    needs = plain[:1] in {"'", '"'} or plain[:1] in "#&*!|>%@`[{-?:" or ": " in plain or " #" in plain
    return '"' + plain.replace("\\", "\\\\").replace('"', '\\"') + '"' if needs else plain


def _bad(line: int, cause: str, remedy: str) -> TimelineError:
    return TimelineError(f"Line {line}: {cause}.", remedy, "bad_front_matter")
