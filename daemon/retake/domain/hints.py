"""How hints are written in the text of a line, and the text without them. What they do is `speech.hints`' business (docs/pronunciation.md).

[SQL](say: sequel)    [SQL](say: /ˈsiːkwəl/)    *never*    [pause 0.4]    \\* (a star that is none)
"""

from __future__ import annotations

import re

SAY = re.compile(r"\[([^\[\]\n]*)\]\(\s*([A-Za-z]+)\s*:(?!//)([^()\n]*)\)")  # words, kind, saying; other kinds may be addresses (mailto:)
LINK = re.compile(r"!?\[([^\[\]\n]+)\]\([^\s()]*\)")
PAUSE = re.compile(r"\[\s*pause\b([^\]\n]{0,80})(\]?)", re.IGNORECASE)  # length, whether it is closed
STRESSED = re.compile(r"(?<![\w*\\])(\*{1,3})(?=[^\s*])([^*\n]{1,300}?)(?<=[^\s*\\])\1(?![\w*])")  # stars, words
SAY_KIND = "say"
_PAUSE_AND_SPACE = re.compile(rf"[ \t]*{PAUSE.pattern}", re.IGNORECASE)


def shown(text: str) -> str:
    """`text` as its readers see it: without hints. What is no hint stays as it is written."""
    text = SAY.sub(lambda match: match[1] if match[2].lower() == SAY_KIND else match[0], text)
    text = _PAUSE_AND_SPACE.sub("", text)
    return STRESSED.sub(r"\2", text).replace("\\*", "*").lstrip(" \t")
