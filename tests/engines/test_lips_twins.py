"""The real environments of the lips engines, with small random networks of their architectures in the place of the weights.

What is shown: environment, adapter and networks work together, from installing to unloading. What is not: how any mouth looks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from enrolled import EnrolledHome
from test_engine_twins import MINUTES, PLACE, ROOT, retake

from retake.domain.errors import Cancelled
from retake.domain.progress import Progress
from retake.domain.rate import FrameRate
from retake.engines import registry
from retake.engines.failures import OutOfMemory
from retake.engines.host.retake_host import wire
from retake.engines.hosts import Hosts, log_of
from retake.engines.install import verify
from retake.engines.process import HostProcess
from retake.face.lips_sound import mel_spectrogram, windows
from retake.media.files import sha256
from retake.media.reader import read_frames

LINE = "Hello there, this is a test."

pytestmark = pytest.mark.skipif(
    not os.environ.get("RETAKE_TEST_ENGINES"), reason="fetches gigabytes of packages: 'python3 bootstrap.py test --engines' runs it"
)


@pytest.fixture(scope="module", params=["wav2lip", "musetalk"])
def engine(request: pytest.FixtureRequest) -> registry.Engine:
    """The engine as a user installs it: packages from the registry, weights from a folder."""
    name: str = request.param
    home, twin = PLACE / "home", PLACE / "twins" / name
    folder = registry.engines_folder(home) / name
    shutil.rmtree(twin, ignore_errors=True)
    shutil.rmtree(folder / "weights", ignore_errors=True)
    (folder / registry.RECORD).unlink(missing_ok=True)
    twin.mkdir(parents=True)
    install = ("engines", "install", name, "--from", str(twin), "--accept-licence", "--json")
    # Its own packages make the twin: the first attempt makes the environment, and says which weights are missing.
    first = retake(*install, home=home, seconds=20 * MINUTES)
    assert "does not hold" in first.stdout + first.stderr, first.stdout + first.stderr
    python = folder / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    script = Path(__file__).parent / "twins" / f"{name}.py"
    made = subprocess.run([str(python), "-I", str(script), str(twin)], capture_output=True, text=True, timeout=5 * MINUTES, check=False)
    assert made.returncode == 0, made.stderr
    second = retake(*install, home=home, seconds=5 * MINUTES)
    assert second.returncode == 0, second.stdout + second.stderr
    log_of(home, name).unlink(missing_ok=True)
    return registry.ready_engine(home, name, "lips")


@pytest.fixture(scope="module")
def pool(engine: registry.Engine) -> Iterator[Hosts]:
    made = Hosts(PLACE / "home")
    yield made
    made.close()


def ask(host: HostProcess, count: int, *, seed: int = 0, smaller: bool = False, progress: Progress | None = None) -> np.ndarray:
    """Have `count` faces of noise drawn for a second of noise."""
    lips = host.engine.manifest.lips
    assert lips is not None
    random = np.random.default_rng(seed)
    crops = random.integers(0, 256, (count, lips.size, lips.size, 3), np.uint8)
    sound = random.normal(0, 0.05, 16000).astype(np.float32)
    mel = windows(mel_spectrogram(sound), np.arange(count), FrameRate(25))
    more = {"sound": mel} if lips.sound == "mel" else {"samples": sound}
    arrays = {name: wire.Array(str(values.dtype), values.shape, values.tobytes()) for name, values in {"crops": crops, **more}.items()}
    fields = {"frames": list(range(count)), "rate": [25, 1], "smaller": smaller}
    parts = host.stream("render", fields, progress or Progress(), arrays=arrays)
    return np.stack([np.frombuffer(part.arrays["frame"].data, np.uint8).reshape(part.arrays["frame"].shape) for part in parts])


def test_it_is_listed_with_what_was_tried(engine: registry.Engine) -> None:
    answer = retake("engines", "list", "--json", home=PLACE / "home", seconds=MINUTES)
    [one] = [one for one in json.loads(answer.stdout)["engines"] if one["name"] == engine.name]
    assert one["available"] is True and one["stage"] == "lips" and "never with real" in one["tried"]
    record = engine.installed
    assert record is not None and record.accepted_at is not None
    assert {requirement.split("==")[0] for requirement in engine.manifest.python.requirements} <= {
        package.split("==")[0] for package in record.packages
    }


def test_it_draws_what_it_sees_and_hears(engine: registry.Engine, pool: Hosts) -> None:
    with pool.use(engine, Progress()) as host:
        first = ask(host, 5)
        assert first.dtype == np.uint8 and first.std() > 1
        assert np.array_equal(first, ask(host, 5))
        assert not np.array_equal(first, ask(host, 5, seed=1))
        alone = np.abs(first.astype(int) - ask(host, 5, smaller=True))  # one by one: sums are rounded in another order
        assert alone.mean() < 0.5 and alone.max() <= 5
    verify(engine, Progress())  # reading the weights has not changed them


def test_a_line_of_the_presenter_from_end_to_end(engine: registry.Engine, presenter_home: EnrolledHome, tmp_path: Path) -> None:
    home = PLACE / "home"
    shutil.rmtree(home / "speakers", ignore_errors=True)
    shutil.rmtree(home / "takes", ignore_errors=True)
    shutil.copytree(presenter_home.path / "speakers", home / "speakers")
    clips = {}
    for name in ("embedded", engine.name):
        clips[name] = tmp_path / f"{name}.mp4"
        done = retake("say", LINE, "-s", "presenter", "--lips", name, "-o", str(clips[name]), "--json", home=home, seconds=10 * MINUTES)
        assert done.returncode == 0, done.stdout + done.stderr
        take = json.loads(done.stdout)
    own, drawn = (list(read_frames(clips[name])) for name in clips)
    assert len(own) == len(drawn) == take["frames"]
    difference = np.array([np.abs(a.astype(int) - b).mean() for a, b in zip(own, drawn, strict=True)])
    assert difference.max() > 1  # the random mouth where words are said
    assert difference[0] < 0.5 and difference[-1] < 0.5  # and the person's own at rest before and behind them
    report = json.loads(clips[engine.name].with_suffix(".json").read_text(encoding="utf-8"))
    assert f"{engine.name} {engine.sound_version}" in json.dumps(report)


def test_cancelling_ends_within_seconds_and_the_next_order_works(engine: registry.Engine, pool: Hosts) -> None:
    progress, when = Progress(), [0.0]

    def stop() -> None:
        when[0] = time.monotonic()
        progress.cancel()

    with pool.use(engine, Progress()) as host:
        ask(host, 1)
        timer = threading.Timer(0.5, stop)
        timer.start()
        with pytest.raises(Cancelled):
            for seed in range(1000):
                ask(host, 16, seed=seed, progress=progress)
        took = time.monotonic() - when[0]
    timer.join()
    assert took < 5.0
    with pool.use(engine, Progress()) as host:
        assert len(ask(host, 2)) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of another process can be limited on Linux alone")
def test_a_full_memory_is_answered_with_less_at_a_time_or_told(engine: registry.Engine, pool: Hosts) -> None:
    import resource

    pool.make_room()
    log, told, before = log_of(PLACE / "home", engine.name), False, 0
    try:
        with pool.use(engine, Progress()) as host:
            ask(host, 1, smaller=True)  # libraries and threads take what they need
            before = len(log.read_text(encoding="utf-8", errors="replace"))
            assert host.pid is not None
            held = int(Path(f"/proc/{host.pid}/statm").read_text().split()[0]) * resource.getpagesize()
            resource.prlimit(host.pid, resource.RLIMIT_AS, (held, resource.RLIM_INFINITY))
            assert len(ask(host, 16)) == 16
    except OutOfMemory:
        told = True
    # Either fewer faces at a time were enough, and the log says so, or the order failed for want of memory: no crash, and nothing goes unnoticed.
    assert told or "Memory is short" in log.read_text(encoding="utf-8", errors="replace")[before:]
    pool.make_room()
    assert pool.loaded() == []
    with pool.use(engine, Progress()) as host:
        assert len(ask(host, 3, smaller=True)) == 3


def test_unloading_ends_the_process(engine: registry.Engine, pool: Hosts) -> None:
    with pool.use(engine, Progress()) as host:
        ask(host, 1)
        pid = host.pid
    pool.make_room()
    assert pool.loaded() == [] and pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_was_looked_for_on_the_network(engine: registry.Engine) -> None:
    log = log_of(PLACE / "home", engine.name).read_text(encoding="utf-8", errors="replace")
    assert "refused connection: " not in log


def test_it_works_where_no_socket_can_be_opened(engine: registry.Engine, tmp_path: Path) -> None:
    """The tests' own guard refuses sockets of native code too, by the kernel, in the command and in the host that it starts."""
    refused = tmp_path / "refused.txt"
    guard = {"PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH", "")]), "RETAKE_TEST_REFUSED": str(refused)}
    done = retake("engines", "test", engine.name, "--json", home=PLACE / "home", seconds=5 * MINUTES, **guard)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["faces"] == 4
    assert not refused.exists() or not refused.read_text()


def test_other_files_are_told_by_name(engine: registry.Engine, tmp_path: Path) -> None:
    """What a file store gives to who is not signed in, in the place of the first file of weights; in a copy of the installation."""
    copy = registry.engines_folder(tmp_path) / engine.name
    shutil.copytree(engine.folder, copy, symlinks=True, ignore=shutil.ignore_patterns("env"))
    (copy / "env").symlink_to(engine.folder / "env", target_is_directory=True)
    page = copy / "weights" / engine.manifest.weights[0].path
    page.write_text("<html>Sign in</html>", encoding="utf-8")
    record = json.loads((copy / registry.RECORD).read_text(encoding="utf-8"))
    record["weights"][0] |= {"size": page.stat().st_size, "sha256": sha256(page)}
    (copy / registry.RECORD).write_text(json.dumps(record), encoding="utf-8")
    done = retake("engines", "test", engine.name, home=tmp_path, seconds=5 * MINUTES)
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode != 0 and "no checkpoint" in said and "install the engine again" in said
