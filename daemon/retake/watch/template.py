"""`{column}` in a text is replaced by the row's value. Only plain names: no attributes, no formats, nothing that is run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from retake.domain.errors import RetakeError

LONGEST = 10_000  # characters of what comes out; one line may have no more (speech.text)
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def fill(template: str, row: Mapping[str, str]) -> str:
    """`template` with the values of `row`; ``{{`` and ``}}`` stand for braces. Column names match whatever their case.

    Raises RetakeError (bad_template, missing_column, empty_value, text_too_long).
    """
    room = LONGEST
    known = {name.strip().casefold(): value for name, value in row.items()}

    def value_of(match: re.Match[str]) -> str:
        nonlocal room
        if match[0] in {"{{", "}}"}:
            return match[0][0]
        if match[1] is None:
            raise RetakeError(f"A '{match[0]}' in the text stands alone.", "Write {{ or }} for a brace that is no column.", code="bad_template")
        name = match[1].strip()
        if name.casefold() not in known:
            raise _no_such_column(name, row)
        value = known[name.casefold()].strip()
        if not value:
            raise RetakeError(f"The column '{name}' is empty.", "Fill it in, or take {" + name + "} out of the text.", code="empty_value")
        room -= len(value)
        if room < 0:  # told here: a hundred kilobytes of {a} and a long value would make gigabytes
            raise _too_long()
        return value

    text = _PART.sub(value_of, template)
    if len(text) > LONGEST:
        raise _too_long()
    return text


def _too_long() -> RetakeError:
    return RetakeError(
        f"The text with its columns filled in is longer than {LONGEST:,} characters.", "Split it into several lines.", code="text_too_long"
    )


def _no_such_column(name: str, row: Mapping[str, str]) -> RetakeError:
    columns = ", ".join(row)
    if not name or not re.fullmatch(r"[\w -]+", name):
        return RetakeError(f"'{{{name[:60]}}}' is not a column.", f"Only plain column names stand in braces: {columns}.", code="bad_template")
    return RetakeError(f"The text asks for a column '{name[:60]}' that is not there.", f"Columns: {columns}.", code="missing_column")
