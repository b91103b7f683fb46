"""JSON and YAML from strangers: plain nested text, bounded in depth, without aliases, tags or repeated keys.

Every scalar comes back as text. What is a number is decided by who asks for one, so that `fps: 30000/1001`, `text: no` and `seed: 007`
mean the same in every format.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from retake.domain.errors import RetakeError

DEEPEST = 8
LARGEST_YAML = 1_000_000  # bytes; a megabyte takes its reader some seconds
LARGEST_JSON = 10_000_000

Data = str | list["Data"] | dict[str, "Data"]

_JSON_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)


def read_json(text: str) -> Data:
    """Nested dictionaries and lists of text; raises RetakeError (bad_json, too_deep, repeated_key) naming the line."""
    _check_json_depth(text)
    try:
        return _as_text(json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant, object_pairs_hook=_object))
    except json.JSONDecodeError as error:
        raise RetakeError(f"Line {error.lineno}: this is not JSON ({error.msg}).", "Correct the line.", code="bad_json") from error


def read_yaml(text: str, *, first_line: int = 1) -> Data:
    """Nested dictionaries and lists of text; raises RetakeError (bad_yaml, yaml_alias, too_deep, repeated_key) naming the line.

    Args:
        first_line: number of the text's first line in its file.
    """
    with _loader(text, first_line) as loader:
        found = loader.get_single_data()
    return "" if found is None else found


def read_pairs(text: str) -> list[tuple[int, str, str]]:
    """The lines `name: value` of flat YAML in order, each with its number; raises RetakeError as `read_yaml`, also for anything nested."""
    with _loader(text, 1) as loader:
        node = loader.get_single_node()
        if node is None:
            return []
        if not isinstance(node, yaml.MappingNode):
            raise RetakeError("Line 1: this is not a list of 'name: value'.", "Write one 'name: value' a line.", code="bad_yaml")
        loader.construct_mapping(node)
        out: list[tuple[int, str, str]] = []
        for key, value in node.value:
            if not isinstance(value, yaml.ScalarNode):
                raise RetakeError(f"Line {key.start_mark.line + 1}: '{key.value[:60]}' has more than one value.", "Give it one.", code="bad_yaml")
            out.append((key.start_mark.line + 1, key.value, value.value))
        return out


@contextmanager
def _loader(text: str, first_line: int) -> Iterator[_Loader]:
    """A loader of `text`; what YAML finds wrong with it becomes a RetakeError (bad_yaml) naming the line."""
    loader: _Loader | None = None
    try:
        loader = _Loader(text)  # refuses characters that cannot be printed
        loader.first_line = first_line
        yield loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"Line {mark.line + first_line}: " if mark is not None else ""
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise RetakeError(f"{place}this is not YAML ({problem}).", "Correct the line; put texts with : or # in quotes.", code="bad_yaml") from error
    finally:
        if loader is not None:
            loader.dispose()


def _check_json_depth(text: str) -> None:
    depth = 0
    for match in _JSON_PARTS.finditer(text):
        if match[0] in "[{":
            depth += 1
            if depth > DEEPEST:
                raise _too_deep(text.count("\n", 0, match.start()) + 1)
        elif match[0] in "]}":
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _repeated(name, "")
        found[name] = _as_text(value)
    return found


def _as_text(value: Any) -> Any:
    """JSON's null is as if nothing was written; true and false are words."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return [_as_text(item) for item in value] if isinstance(value, list) else value


def _refuse_constant(name: str) -> Any:
    raise RetakeError(f"{name} is not JSON.", "Leave it out or give a number.", code="bad_json")


class _Loader(yaml.BaseLoader):
    """PyYAML's loader that knows only text, lists and mappings, with what could blow up taken away."""

    first_line = 1
    _depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        line = event.start_mark.line + self.first_line
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise RetakeError(
                f"Line {line}: references (& and *) are not read.", "Write the value itself; put texts that begin so in quotes.", code="yaml_alias"
            )
        if getattr(event, "tag", None) is not None:
            raise RetakeError(f"Line {line}: types (!{str(event.tag)[-40:]}) are not read.", "Leave the type away.", code="yaml_tag")
        self._depth += 1
        if self._depth > DEEPEST:
            raise _too_deep(line)
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            line = key.start_mark.line + self.first_line
            if not isinstance(key, yaml.ScalarNode):
                raise RetakeError(f"Line {line}: a name must be plain text.", "Write 'name: value'.", code="bad_yaml")
            if key.value in seen:
                raise _repeated(key.value, f"Line {line}: ")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _too_deep(line: int) -> RetakeError:
    return RetakeError(f"Line {line}: this is nested more than {DEEPEST} deep.", "Write a plain list of lines.", code="too_deep")


def _repeated(name: str, place: str) -> RetakeError:
    return RetakeError(f"{place}'{name[:60]}' is given twice.", "Keep one of them.", code="repeated_key")
