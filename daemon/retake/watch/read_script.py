"""Text and Markdown files, with YAML front matter for the options."""

from __future__ import annotations

import re

from retake.domain.errors import RetakeError
from retake.media import safe_data
from retake.script.parse import parse_text
from retake.watch.wish import Drop, Options, Wish, parse_options

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(?P<body>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_LARGEST_FRONT_MATTER = 64_000  # characters


def read_script(text: str, name: str) -> Drop:
    """The lines of a script, each a clip of its own, so that changing one line renders one line.

    `@anna:` before a paragraph names its speaker and wins over the front matter.
    """
    options = Options()
    front = _FRONT_MATTER.match(text)
    if front is not None:
        options = _front_matter(front["body"])
        text = text[front.end() :]
    script = parse_text(text, name)
    if options.fit is not None and len(script.lines) > 1:
        raise RetakeError("fit holds for one line, and the file has several.", "Use .srt or .csv to give every line its time.", code="bad_option")
    several = len(script.lines) > 1
    wishes = [
        Wish(number, f"line {number}" if several else "", line.text, Options(speaker=line.speaker).over(options))
        for number, line in enumerate(script.lines, 1)
    ]
    return Drop(tuple(wishes), script.title, together=several, options=options)


def _front_matter(body: str) -> Options:
    if len(body) > _LARGEST_FRONT_MATTER:
        raise RetakeError("The front matter is too large.", "Keep a few options between the two lines of ---.", code="bad_front_matter")
    found = safe_data.read_yaml(body, first_line=2)
    if found == "":
        return Options()
    if not isinstance(found, dict) or any(not isinstance(value, str) for value in found.values()):
        raise RetakeError("The front matter is no list of 'name: value'.", "Write one option a line, such as 'seed: 3'.", code="bad_front_matter")
    return parse_options({str(key): str(value) for key, value in found.items()})
