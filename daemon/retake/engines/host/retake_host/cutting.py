"""Sentences of any language in parts that an engine can say in one go."""

from __future__ import annotations

import re

_WEAK = (re.compile(r"[;:—；：]\s*"), re.compile(r",\s+|[，、،]\s*"), re.compile(r"\s+"))


def cut(sentence: str, longest: int) -> list[str]:
    """A sentence in parts of at most `longest` characters: behind a semicolon, comma or space, behind any character where there is none."""
    out: list[str] = []
    rest = sentence.strip()
    while len(rest) > longest:
        window = rest[:longest]
        ends = next((found for mark in _WEAK if (found := [m.end() for m in mark.finditer(window) if m.end() > longest // 3])), [longest])
        out.append(rest[: ends[-1]].strip())
        rest = rest[ends[-1] :].strip()
    return [*out, rest] if rest else out
