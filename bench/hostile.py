"""A running daemon under attack: what it answers, and what is still true of it afterwards.

    python bench/hostile.py HOME [--examples 40] [--videos 100] [--streams 300] [--idle 2000] [--slow 20] [--only NAME] [--keep FOLDER]

HOME is a home folder with an enrolled speaker called presenter (it is copied). Starts a real `retake serve` with a worker on loopback, limited to
1024 open files as is usual, and throws at it what tests/hostile_*.py hold. After each attack the daemon must answer its health check within a second,
be the same process and have a worker ready; at the end, a line must render, nothing may have been written outside, and no log may hold a token or a
traceback. Prints one table, and every problem. Some minutes; Linux and macOS; everything comes from this machine, over loopback, and stops by itself.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from hostile_attacks import ATTACKS  # noqa: E402 - found by the line above
from hostile_target import Scale, Target, target  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    usual = Scale()
    for name in ("examples", "videos", "streams", "idle", "slow"):
        parser.add_argument(f"--{name}", type=int, default=getattr(usual, name))
    parser.add_argument("--only", action="append", choices=list(ATTACKS), help="only this attack; may be repeated")
    parser.add_argument("--keep", type=Path, help="leave everything that the daemon wrote here")
    options = parser.parse_args()
    scale = Scale(options.examples, options.videos, options.streams, options.idle, options.slow)
    with tempfile.TemporaryDirectory(prefix="retake-hostile-") as folder:
        try:
            with target(Path(folder), options.home) as attacked:
                before = attacked.vital_signs("before")
                print(f"before: {before.memory:.0f} MiB, {before.files} open files", flush=True)
                try:
                    for name in options.only or ATTACKS:
                        row = attacked.attack(name, ATTACKS[name], scale)
                        print(
                            f"{name}: {row.cases} cases, {row.seconds:.1f} s, {len(attacked.problems)} problems so far", file=sys.stderr, flush=True
                        )
                finally:
                    attacked.check_traces()
                    show(attacked)
        finally:
            if options.keep is not None:
                shutil.copytree(
                    folder,
                    options.keep,
                    symlinks=True,
                    dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("*.mp4", "speakers", "watched", "temporary", "uploads"),
                )
    sys.exit(1 if attacked.problems else 0)


def show(attacked: Target) -> None:
    print("| attack | cases | answers | took | health check after | worker ready after | memory | open files |\n|---|---|---|---|---|---|---|---|")
    for row in attacked.rows:
        answers = ", ".join(f"{name} {count}" for name, count in row.outcomes.most_common())
        figures = f"{row.seconds:.1f} s | {row.health * 1000:.0f} ms | {row.ready:.1f} s | {row.memory:.0f} MiB | {row.files}"
        print(f"| {row.name} | {row.cases} | {answers} | {figures} |")
    print(f"\n{len(attacked.problems)} problems")
    for problem in attacked.problems:
        print(f"- {problem}")


if __name__ == "__main__":
    main()
