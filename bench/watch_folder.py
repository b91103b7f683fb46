"""Many files dropped into a watched folder at once: do all arrive, each once, and how soon?

    python bench/watch_folder.py --home FOLDER [--files 500] [--same 20] [--kills 0] [--seed 1]

FOLDER is a home with an enrolled speaker; it is copied. Everything is real: `retake watch` as a process, its worker, rendered clips of a few frames
at 128x128. A twentieth of the files is of each further format (.md, .json, .yaml, .srt, .csv), the rest is .txt. With --kills the command
is killed (kill -9, its worker dies with it) so often at random moments, and started again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LONGEST_SECONDS = 3600.0
OPTIONS = {"size": "128x128"}


@dataclass
class Run:
    """What is measured: seconds since the files began to be dropped."""

    dropped: float = 0.0
    claimed: float | None = None
    submitted: float | None = None
    first_clip: float | None = None
    over: float | None = None
    killed: list[float] = field(default_factory=list)


def words(number: int) -> str:
    """A line that no other number has, about a second long."""
    return " ".join(ONES[int(digit)] for digit in f"{number:03d}").capitalize() + "."


def content_of(name: str, text: str) -> str:
    """A file of the format that its name tells, which asks for one small clip saying `text`."""
    suffix = Path(name).suffix
    front = "".join(f"{key}: {value}\n" for key, value in OPTIONS.items())
    if suffix == ".json":
        return json.dumps({**OPTIONS, "text": text})
    if suffix == ".yaml":
        return f"{front}text: {text}\n"
    if suffix == ".csv":
        return f"word;size;text\n{text};{OPTIONS['size']};{{word}}\n"
    if suffix == ".srt":
        return f"1\n00:00:00,000 --> 00:00:02,000\n{text}\n"
    return f"---\n{front}---\n{text}\n"


def names_of(files: int) -> list[str]:
    others = (".md", ".json", ".yaml", ".srt", ".csv")
    return [f"{number:04d}{others[number % 20] if number % 20 < len(others) else '.txt'}" for number in range(files)]


def drop(root: Path, names: list[str], same: int) -> Counter[str]:
    """Write all files as fast as possible; the last `same` say what earlier ones say. Returns how often each content was dropped."""
    contents: Counter[str] = Counter()
    for number, name in enumerate(names):
        origin = number if number < len(names) - same else number % 20
        content = content_of(name, words(origin))
        contents[f"{Path(name).suffix} {content}"] += 1
        (root / name).write_text(content, encoding="utf-8")
    return contents


def start(home: Path, root: Path, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        command = [sys.executable, "-m", "retake", "watch", str(root), "--render"]
        return subprocess.Popen(command, env={**os.environ, "RETAKE_HOME": str(home)}, stdout=out, stderr=out)


def count(folder: Path, pattern: str = "*") -> int:
    return sum(not path.name.startswith(".") for path in folder.glob(pattern)) if folder.is_dir() else 0


def jobs(home: Path) -> Counter[str]:
    """Jobs by state."""
    path = home / "jobs.sqlite3"
    if not path.exists():
        return Counter()
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    try:
        return Counter(dict(connection.execute("select state, count(*) from retake_jobs group by state").fetchall()))
    except sqlite3.OperationalError:  # the tables are not there yet
        return Counter()
    finally:
        connection.close()


def measure(home: Path, root: Path, names: list[str], same: int, *, kills: list[float], log: Path) -> tuple[Run, Counter[str]]:
    run = Run()
    process = start(home, root, log)
    try:
        while not (root / "processing").is_dir():
            if process.poll() is not None:
                raise SystemExit(log.read_text("utf-8"))
            time.sleep(0.05)
        begun = time.perf_counter()
        contents = drop(root, names, same)
        run.dropped = time.perf_counter() - begun
        wanted = len(contents)
        while True:
            now = time.perf_counter() - begun
            if kills and now >= kills[0]:
                kills.pop(0)
                process.kill()
                process.wait()
                run.killed.append(now)
                process = start(home, root, log)
            if run.claimed is None and not any(path.is_file() and not path.name.startswith(".") for path in root.iterdir()):
                run.claimed = now
            if run.submitted is None and sum(jobs(home).values()) >= wanted:
                run.submitted = now
            if run.first_clip is None and count(root / "out", "*.mp4"):
                run.first_clip = now
            if count(root / "done") + count(root / "failed") >= len(names):
                run.over = now
                break
            if now > LONGEST_SECONDS or process.poll() is not None:
                break
            time.sleep(0.2)
        time.sleep(3.0)  # the timeline of the folder is written when nothing has been added for a second
        return run, contents
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def is_playable(clip: Path) -> bool:
    """Whether all frames that its report promises can be decoded."""
    from retake.domain.errors import RetakeError
    from retake.media.reader import read_frames

    wanted = json.loads(clip.with_suffix(".json").read_text("utf-8"))["clip"]["frames"]
    try:
        with closing(read_frames(clip)) as frames:
            return sum(1 for _ in frames) == wanted
    except RetakeError:
        return False


def table(home: Path, root: Path, run: Run, names: list[str], contents: Counter[str]) -> list[str]:
    from retake_otio import read_timeline

    clips = sorted((root / "out").glob("*.mp4"))
    stems = Counter(json.loads(path.with_suffix(".json").read_text("utf-8"))["watch"]["file"] for path in clips)
    beside = sum(all(path.with_suffix(suffix).is_file() for suffix in (".json", ".srt", ".png", ".otio")) for path in clips)
    on_timeline = sum(1 for _ in read_timeline(root / "out" / "folder.otio").find_clips())
    takes = sum(1 for path in (home / "takes").iterdir() if path.name[0] != ".")
    rows: list[tuple[str, object]] = [
        ("files dropped", len(names)),
        ("... of different content", len(contents)),
        ("in done", count(root / "done")),
        ("in failed", count(root / "failed")),
        ("left in processing", count(root / "processing")),
        ("clips in out", len(clips)),
        ("... with all four files beside them", beside),
        ("... that cannot be decoded to their end", sum(not is_playable(path) for path in clips)),
        ("... on folder.otio", on_timeline),
        ("files without their clip", len(set(names) - set(stems))),
        ("files with more than one clip", sum(value > 1 for value in stems.values())),
        ("jobs", sum(jobs(home).values())),
        ("jobs not succeeded", sum(value for state, value in jobs(home).items() if state != "succeeded")),
        ("takes rendered", takes),
        ("parts left behind", sum(1 for _ in (root / "out" / ".incoming").iterdir())),
        ("kill -9", len(run.killed)),
        ("s: all dropped", seconds(run.dropped)),
        ("s: all claimed", seconds(run.claimed)),
        ("s: all in the queue", seconds(run.submitted)),
        ("s: first clip", seconds(run.first_clip)),
        ("s: all over", seconds(run.over)),
        ("s: a job", seconds(None if run.over is None else run.over / max(1, takes))),
    ]
    if run.killed:
        rows.append(("killed at s", ", ".join(f"{at:.0f}" for at in run.killed)))
    return [f"| {name:40} | {value!s:>8} |" for name, value in rows]


def seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--same", type=int, default=20, help="so many of them repeat the content of others")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    names = names_of(options.files)
    dice = random.Random(options.seed)
    span = 0.8 * options.files
    kills = sorted(dice.uniform(0.5, span) for _ in range(options.kills))
    with tempfile.TemporaryDirectory(prefix="retake-bench-") as folder:
        home, root, log = Path(folder) / "home", Path(folder) / "drop", Path(folder) / "log.txt"
        shutil.copytree(options.home, home, ignore=shutil.ignore_patterns("takes", "jobs.sqlite3*", "cache", "logs"))
        root.mkdir()
        run, contents = measure(home, root, names, options.same, kills=kills, log=log)
        print("\n".join(table(home, root, run, names, contents)))
        for path in sorted((root / "failed").glob("*.error.txt"))[:3]:
            print(f"\n{path.name}\n{path.read_text('utf-8')}")


if __name__ == "__main__":
    main()
