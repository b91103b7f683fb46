from __future__ import annotations

import io
import re
import signal
import sys
from pathlib import Path

import pytest

import retake.pace
from retake.console import PlainDisplay, clock_text, working
from retake.domain.errors import Cancelled
from retake.pace import FIRST_GUESS, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def finished_run(store: Path, clock: Clock, factor: float = 1.0) -> None:
    pace = Pace("work", store, clock=clock)
    for stage, seconds in (("speak", 2.0), ("draw", 8.0)):
        pace.enter(stage)
        clock.now += seconds * factor
    pace.finish()


def test_the_first_run_estimates_from_its_own_rate(tmp_path: Path) -> None:
    clock = Clock()
    pace = Pace("new", tmp_path / "pace.json", clock=clock)
    pace.enter("draw")
    assert pace.left(0.0) is None
    clock.now = 2.0
    assert pace.left(0.2) == pytest.approx(8.0)


def test_the_first_guess_knows_the_stages_there_are() -> None:
    """Otherwise the time left in the first run would be that of the current stage alone."""
    package = Path(retake.pace.__file__).parent
    for command, source in (("enrol", package / "speakers" / "enrol.py"), ("say", package / "pipeline.py")):
        stages = set(re.findall(r'progress\.stage\("([^"]+)"\)', source.read_text(encoding="utf-8")))
        assert set(FIRST_GUESS[command]) <= stages


def test_later_runs_know_the_stages_to_come(tmp_path: Path) -> None:
    clock = Clock()
    finished_run(tmp_path / "pace.json", clock)
    pace = Pace("work", tmp_path / "pace.json", clock=clock)
    pace.enter("speak")
    assert pace.left(0.0) == pytest.approx(10.0)
    clock.now += 2.0
    pace.enter("draw")
    assert pace.left(0.0) == pytest.approx(8.0)
    clock.now += 4.0
    assert pace.left(0.5) == pytest.approx(4.0)


def test_a_slow_run_is_noticed(tmp_path: Path) -> None:
    clock = Clock()
    finished_run(tmp_path / "pace.json", clock, factor=10.0)
    pace = Pace("work", tmp_path / "pace.json", clock=clock)
    pace.enter("speak")
    clock.now += 41.0  # 20 were expected
    pace.enter("draw")
    assert pace.left(0.0) == pytest.approx(160.0)


def test_lines_of_a_script_are_rounds(tmp_path: Path) -> None:
    clock = Clock()
    finished_run(tmp_path / "pace.json", clock)
    pace = Pace("work", tmp_path / "pace.json", rounds=3, clock=clock)
    pace.enter("speak")
    assert pace.left(0.0) == pytest.approx(30.0)
    for stage, seconds in (("speak", 2.0), ("draw", 8.0)):
        pace.enter(stage) if stage != "speak" else None
        clock.now += seconds
    pace.enter("speak")
    assert pace.left(0.0) == pytest.approx(20.0)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"work": 3}', '{"work": {"speak": "x"}}'])
def test_a_damaged_memory_only_costs_the_estimate(tmp_path: Path, content: str) -> None:
    (tmp_path / "pace.json").write_text(content, encoding="utf-8")
    finished_run(tmp_path / "pace.json", Clock())
    assert Pace("work", tmp_path / "pace.json").left(0.0) is None


def test_plain_lines(tmp_path: Path) -> None:
    out = io.StringIO()
    with working("say", tmp_path, stream=out) as progress:
        progress.stage("Speaking")
        progress.report(0.5)
        progress.stage("Drawing")
    assert out.getvalue().splitlines() == ["Speaking ...", "Drawing ..."]


def test_plain_lines_say_how_far_and_how_long(tmp_path: Path) -> None:
    clock = Clock()
    pace = Pace("work", tmp_path / "pace.json", clock=clock)
    out = io.StringIO()
    display = PlainDisplay(out, pace)
    pace.enter("Drawing")
    display.update("Drawing", 0.0, "")
    clock.now = 30.0
    display._next = 0.0
    display.update("Drawing", 0.25, "frame 25 of 100")
    assert out.getvalue().splitlines()[-1] == "Drawing:  25%, frame 25 of 100, 1:30 left"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (3661, "1:01:01")])
def test_clock(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows delivers Ctrl-C to whole consoles only")
def test_first_ctrl_c_cancels_and_the_second_interrupts(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Cancelled), working("say", tmp_path, stream=io.StringIO()) as progress:
        signal.raise_signal(signal.SIGINT)
        assert progress.cancelled
        progress.check()
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt), working("say", tmp_path, stream=io.StringIO()):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    assert not (tmp_path / "cache").exists()  # what did not finish is not learnt from


def test_an_estimate_that_cannot_be_kept_does_not_spoil_the_work(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()  # a file where the folder should be
    with working("say", tmp_path, stream=io.StringIO()) as progress:
        progress.stage("Speaking")
    assert (tmp_path / "cache").is_file()
