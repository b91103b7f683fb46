"""A lips engine that needs nothing but Python: it gives faces back as they came, or does what a test tells it to."""

from __future__ import annotations

from pathlib import Path

from retake.domain.progress import Progress
from retake.engines import registry
from retake.engines.install import install

SIZE = 64
MANIFEST = f"""
format = 1
name = "toylips"
stage = "lips"
title = "A toy that gives faces back"
version = "1"
devices = ["cpu"]
adapter = "toylips.py"
[licence]
name = "CC0-1.0"
commercial_use = true
accept = false
summary = "Do what you like."
[memory]
ram_mb = 30
[python]
version = ">=3.10"
size_mb = 20
[lips]
size = {SIZE}
sound = "SOUND"
top = "forehead"
below = 0.06
"""
ADAPTER = """
import sys
import time


def load(setup):
    return Toy()


class Toy:
    orders = 0

    def render(self, order):
        self.orders += 1
        crops = order.arrays["crops"]
        count, height, width, channels = crops.shape
        size = height * width * channels
        print("ORDER", self.orders, order.fields["frames"], order.fields["rate"], order.smaller, sorted(order.arrays), file=sys.stderr, flush=True)
        for number in range(count):
            order.report(number / count)
            face = memoryview(crops.data)[number * size : (number + 1) * size]
            # what a test wants
            yield face.cast("B", (height, width, channels))
"""
GREEN = "face = memoryview(bytes([0, 255, 0] * (height * width)))"


def install_toy(home: Path, folder: Path, lines: str = "", *, sound: str = "mel") -> registry.Engine:
    """Write the engine into `folder` and install it in `home`. `lines` run for each face: `face` is what is given back."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "toylips.toml").write_text(MANIFEST.replace("SOUND", sound), encoding="utf-8")
    wanted = "".join(f"            {line}\n" for line in lines.splitlines())
    (folder / "toylips.py").write_text(ADAPTER.replace("            # what a test wants\n", wanted), encoding="utf-8")
    install(home, "toylips", source=folder, progress=Progress())
    return registry.engine(home, "toylips")


def orders(home: Path) -> list[str]:
    """Lines of the orders that it was given."""
    log = home / "logs" / "engines" / "toylips.log"
    return [line for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("ORDER")] if log.exists() else []
