"""The user's own words and how they are said: `words.yaml` in Retake's folder.

    SQL: sequel
    Kubernetes: /ˌkubɚˈnɛtiz/
    retake: ree take

`Words.mark` writes what the list says into a text, as hints (`speech.hints`). So a line that is spoken, and the key under which it is kept,
hold every word that it uses and no other: changing a word renders again what contains it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from retake.domain.errors import ErrorKind, RetakeError
from retake.media.safe_data import read_pairs

from . import hints

FILE = "words.yaml"
LARGEST = 500_000  # bytes
MOST = 5_000  # words
LONGEST_WORD = 100  # characters
_WRITTEN = re.compile(r"[^\s\[\](){}*:/\\@]+(?: [^\s\[\](){}*:/\\@]+)*")
_LINE = re.compile(r"^Line (\d+): (.*)", re.DOTALL)


@dataclass(frozen=True)
class Words:
    """How words are said: as written in the list -> letters, or sounds between slashes.

    A word with a capital letter is found as it is written, one without in any case; longer ones are found first. A word is found whole,
    also before 's and a hyphen, but not inside addresses.
    """

    said: dict[str, str]

    def mark(self, text: str) -> str:
        """`text` with a hint at each of its words that is in the list. What has a hint of its own, and addresses of links, stay as they are."""
        pattern = self._pattern
        if pattern is None:
            return text
        return "".join(pattern.sub(self._hint, piece) if free else piece for piece, free in hints.outside(text))

    def used(self, text: str) -> dict[str, str]:
        """The entries that `text` uses, in the order of the alphabet."""
        found: dict[str, str] = {}
        for piece, free in hints.outside(text):
            for match in self._pattern.finditer(piece) if free and self._pattern is not None else ():
                word = self._entry(match[0])
                found[word] = self.said[word]
        return dict(sorted(found.items()))

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self.said:
            return None
        words = sorted(self.said, key=lambda word: (-len(word), word))
        either = "|".join(_either_case(word) for word in words)
        return re.compile(rf"(?<![\w@/\\.])(?:{either})(?![\w@/\\]|\.\w)")

    def _entry(self, written: str) -> str:
        plain = " ".join(written.split())
        return plain if plain in self.said else plain.lower()

    def _hint(self, match: re.Match[str]) -> str:
        written = " ".join(match[0].split())
        return hints.said_instead(written, self.said[self._entry(written)])


def load_words(home: Path) -> Words:
    """The words of the home folder; none where there is no file.

    Raises RetakeError (bad_words) naming file and line: not readable or too large, not flat YAML, a word that cannot stand in a text, a saying
    that cannot be said.
    """
    path = home / FILE
    try:
        stamp = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return Words({})
    except OSError as error:
        raise _unreadable(path, str(error.strerror or error)) from error
    return _load(path, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=4)  # the list is looked at for every line
def _load(path: Path, _changed: int, size: int) -> Words:
    if size > LARGEST:
        raise _unreadable(path, f"it is larger than {LARGEST // 1000} kB")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise _unreadable(path, str(error.strerror or error)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "it is not UTF-8 text") from error
    return parse_words(text, path.name)


def parse_words(text: str, name: str = FILE) -> Words:
    """Words from the text of a list; `name` is what errors call it. Raises RetakeError (bad_words) naming the line."""
    try:
        pairs = read_pairs(text)
    except RetakeError as error:
        line = _LINE.match(error.cause)
        raise _bad(name, int(line[1]) if line else None, line[2] if line else error.cause, error.remedy) from None
    if len(pairs) > MOST:
        raise _bad(name, None, f"there are {len(pairs):,} words; {MOST:,} are the most", "Keep those that your scripts use.")
    said: dict[str, str] = {}
    for line, written, saying in pairs:
        word = " ".join(written.split())
        if len(word) > LONGEST_WORD or not _WRITTEN.fullmatch(word) or not any(c.isalnum() for c in word):
            raise _bad(name, line, f"'{word[:60]}' is no word", "Write the word as it stands in scripts, before the colon.")
        if word in said:
            raise _bad(name, line, f"'{word[:60]}' is given twice", "Keep one of them.")
        try:
            hints.check_saying(saying)
        except RetakeError as error:
            raise _bad(name, line, f"'{word}': {error.cause}", error.remedy) from None
        said[word] = " ".join(saying.split())
    return Words(said)


def _either_case(word: str) -> str:
    body = r"\s+".join(re.escape(part) for part in word.split(" "))
    return body if word != word.lower() else f"(?i:{body})"


def _bad(name: str, line: int | None, what: str, remedy: str) -> RetakeError:
    place = f"{name}, line {line}: " if line is not None else f"{name}: "
    return RetakeError(f"{place}{what.rstrip('.')}.", remedy, kind=ErrorKind.ENVIRONMENT, code="bad_words")


def _unreadable(path: Path, why: str) -> RetakeError:
    return RetakeError(f"{path} cannot be read ({why}).", "Correct or delete the file.", kind=ErrorKind.ENVIRONMENT, code="bad_words")
