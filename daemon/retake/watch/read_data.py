"""JSON and YAML files: one clip, a list of clips, or options with a list of lines."""

from __future__ import annotations

from retake.domain.errors import RetakeError
from retake.media.safe_data import Data
from retake.watch.wish import KEYS, MOST_CLIPS, OPTIONS, Drop, Options, Wish, at, nothing_to_say, parse_options, too_many

_SHAPE = "Write {text: ..., speaker: ...}, a list of such, or options with lines: [...]."


def read_data(data: Data, name: str) -> Drop:
    """Clips from nested text.

    Forms: ``{"text": ...}``; ``[{"text": ...}, "..."]``; ``{"title": ..., "speaker": ..., "lines": [...]}`` whose options hold for all lines.
    """
    title = ""
    defaults = Options()
    if isinstance(data, dict) and "lines" in data:
        lines = data["lines"]
        if "text" in data:
            raise RetakeError("'text' and 'lines' exclude each other.", _SHAPE, code="bad_shape")
        if not isinstance(lines, list):
            raise RetakeError("'lines' is not a list.", _SHAPE, code="bad_shape")
        title = _plain("title", data.get("title", ""))
        allowed = (*OPTIONS, "title", "lines")
        _check_names(data, allowed)
        defaults = parse_options({key: _plain(key, value) for key, value in data.items() if key in OPTIONS})
    elif isinstance(data, list):
        lines = data
    elif isinstance(data, dict):
        lines = [data]
    else:
        raise RetakeError("The file holds a single text.", _SHAPE, code="bad_shape")
    if not lines:
        raise nothing_to_say(name, _SHAPE)
    if len(lines) > MOST_CLIPS:
        raise too_many(name, len(lines))
    several = len(lines) > 1
    if several and defaults.fit is not None:
        raise RetakeError("fit holds for one line, and the file has several.", "Give it to each line that needs it.", code="bad_option")
    wishes = [_wish(line, number, f"line {number}" if several else "", defaults) for number, line in enumerate(lines, 1)]
    return Drop(tuple(wishes), title, together=several, options=defaults)


def _wish(line: Data, number: int, where: str, defaults: Options) -> Wish:
    with at(where):
        if isinstance(line, str):
            return Wish(number, where, line, defaults)
        if not isinstance(line, dict):
            raise RetakeError("This is a list inside a list.", _SHAPE, code="bad_shape")
        _check_names(line, KEYS)
        if "text" not in line:
            raise RetakeError("There is no 'text'.", _SHAPE, code="bad_shape")
        options = parse_options({key: _plain(key, value) for key, value in line.items() if key in OPTIONS})
        return Wish(number, where, _plain("text", line["text"]), options.over(defaults))


def _plain(name: str, value: Data) -> str:
    if not isinstance(value, str):
        raise RetakeError(f"'{name}' is not a plain value.", _SHAPE, code="bad_shape")
    return value


def _check_names(found: dict[str, Data], allowed: tuple[str, ...]) -> None:
    unknown = [key for key in found if key not in allowed]
    if unknown:
        raise RetakeError(f"'{str(unknown[0])[:60]}' is not an option.", f"Options: {', '.join(allowed)}.", code="unknown_option")
