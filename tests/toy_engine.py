"""A voice engine as docs/engines.md shows how to write one, taken from that page; and variants of it that misbehave."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from retake.domain.progress import Progress
from retake.engines import registry
from retake.engines.install import install

PAGE = Path(__file__).resolve().parent.parent / "docs" / "engines.md"
WEIGHTS = b"three formants, kept as weights\n" * 40


@dataclass(frozen=True)
class Toy:
    """The files of an engine in a folder that `retake engines install toy --from FOLDER` takes."""

    folder: Path

    def rewrite(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{name} does not hold {old!r}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def install(self, home: Path) -> registry.Engine:
        install(home, "toy", source=self.folder, accept=True, account="tester", progress=Progress())
        return registry.engine(home, "toy")


def page_files() -> dict[str, str]:
    """The blocks of the page that begin with a comment naming their file: "# toy.toml"."""
    blocks = re.findall(r"```(?:toml|python)\n(# (toy\.\w+)\n.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return {name: text for text, name in blocks}


def write_toy(folder: Path) -> Toy:
    """The engine exactly as on the page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in page_files().items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "formants.bin").write_bytes(WEIGHTS)
    return Toy(folder)


def misbehaving(folder: Path, speak: str, *, load: str = "") -> Toy:
    """The engine with other lines at the start of `speak` (and of `load`); `order` and `self` are known there."""
    toy = write_toy(folder)
    toy.rewrite("toy.py", "    def speak(self, order):\n", "    def speak(self, order):\n" + _indented(speak, 8))
    if load:
        toy.rewrite("toy.py", "def load(setup):\n", "def load(setup):\n" + _indented(load, 4))
    return toy


def _indented(lines: str, spaces: int) -> str:
    return "".join(" " * spaces + line + "\n" for line in lines.splitlines())
