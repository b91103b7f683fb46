"""Tables: one clip a row, with `{column}` in the text replaced by the row's values."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator

from retake.domain.errors import RetakeError
from retake.watch import template
from retake.watch.wish import MOST_CLIPS, OPTIONS, Drop, Wish, at, nothing_to_say, parse_options, too_many

MOST_COLUMNS = 200
_SEPARATORS = (",", ";", "\t")


def read_csv(text: str, name: str) -> Drop:
    """Clips of a table with a column `text`.

    Columns named as options (speaker, output, ...) hold for their row; all others, and these too, may stand in the text as `{column}`. A row
    whose text is empty takes that of the row before, so that a template is written once. Separators are commas, semicolons or tabs.
    Rows are counted as spreadsheets show them: the heading is row 1.

    Raises RetakeError; problems of several rows are reported together, and then no row is rendered.
    """
    rows = _rows(text)
    try:
        heading = next(rows)[1]
    except StopIteration:
        raise nothing_to_say(name, "The first row names the columns; one of them is 'text'.") from None
    columns = _columns(heading)
    wishes: list[Wish] = []
    problems: list[RetakeError] = []
    words = ""
    for number, (row, cells) in enumerate(rows, 1):
        if number > MOST_CLIPS:
            raise too_many(name, number)
        try:
            with at(f"row {row}"):
                if len(cells) > len(columns):
                    raise RetakeError(
                        f"It has {len(cells)} cells and there are {len(columns)} columns.",
                        "Put texts that contain the separator in double quotes.",
                        code="bad_row",
                    )
                values = dict(zip(columns, [*cells, *[""] * (len(columns) - len(cells))], strict=True))
                words = values["text"].strip() or words
                wishes.append(_wish(values, words, number, f"row {row}"))
        except RetakeError as error:
            problems.append(error)
    if problems:
        raise together(problems, f"{len(problems)} of {len(wishes) + len(problems)} rows")
    if not wishes:
        raise nothing_to_say(name, "Write one row for each clip below the names of the columns.")
    return Drop(tuple(wishes), "")


def together(problems: list[RetakeError], what: str) -> RetakeError:
    """One error that tells of many, the first twenty in full."""
    if len(problems) == 1:
        return problems[0]
    shown = [f"{error.cause} {error.remedy}" for error in problems[:20]]
    more = [f"... and {len(problems) - 20} more."] if len(problems) > 20 else []
    cause = "\n".join([f"{what} cannot be used:", *(f"- {line}" for line in shown + more)])
    return RetakeError(cause, "Correct them and drop the file again.", code="several_problems")


def _wish(values: dict[str, str], words: str, number: int, where: str) -> Wish:
    if not words:
        raise RetakeError("There is no text.", "Fill in the column 'text'; an empty one takes the text of the row above.", code="no_text")
    options = {name: values[name] for name in OPTIONS if name in values}
    if options.get("output"):
        options["output"] = template.fill(options["output"], values)
    return Wish(number, where, template.fill(words, values), parse_options(options))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold something, with their numbers; a row may go over several lines of the file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    number = 0
    try:
        for cells in reader:
            number += 1
            if any(cell.strip() for cell in cells):
                yield number, cells
    except csv.Error as error:
        raise RetakeError(
            f"Row {number + 1} (line {reader.line_num}): this is not CSV ({error}).",
            "Put texts in double quotes, double the quotes inside them, and close them.",
            code="bad_csv",
        ) from error


def _separator(text: str) -> str:
    """What separates the cells of the first line that is not empty, outside quotes."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    counts: Counter[str] = Counter()
    quoted = False
    for character in first:
        if character == '"':
            quoted = not quoted
        elif not quoted and character in _SEPARATORS:
            counts[character] += 1
    return max(_SEPARATORS, key=counts.__getitem__) if counts else ","


def _columns(heading: list[str]) -> list[str]:
    """Names of the columns: options and `text` in lower case, others as written."""
    names = [cell.strip() for cell in heading]
    while names and not names[-1]:
        names.pop()  # spreadsheets leave empty columns at the end
    names = [name.casefold() if name.casefold() in {"text", *OPTIONS} else name for name in names]
    if len(names) > MOST_COLUMNS:
        raise RetakeError(f"The table has {len(names)} columns; {MOST_COLUMNS} are possible.", "Remove those that are not used.", code="bad_csv")
    shown = ", ".join(names)
    if "" in names:
        raise RetakeError(f"Row 1: column {names.index('') + 1} has no name.", f"Name it or remove it. Columns: {shown}.", code="bad_csv")
    twice = [name for name, count in Counter(name.casefold() for name in names).items() if count > 1]
    if twice:
        raise RetakeError(f"Row 1: the column '{twice[0]}' is there twice.", "Rename or remove one of them.", code="bad_csv")
    if "text" not in names:
        raise RetakeError("There is no column 'text'.", f"Name the column of the words 'text'. Columns now: {shown}.", code="missing_column")
    return names
