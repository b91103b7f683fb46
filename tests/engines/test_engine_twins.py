"""The real environments of the heavy engines, with small random networks of their architectures in the place of the weights.

What is shown: environment, adapter and package work together, from installing to unloading. What is not: how any of them sounds.
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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress
from retake.engines import registry
from retake.engines.failures import OutOfMemory
from retake.engines.hosts import Hosts, log_of
from retake.engines.install import verify
from retake.engines.process import HostProcess
from retake.media.audio import read_audio, write_wav

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / ".engines"  # kept between runs: environments take gigabytes
PRESENTER = ROOT / "daemon" / "retake" / "assets" / "presenter"
LINE = "Hello there, this is a test."
MINUTES = 60.0
MEMORY_LEFT = 30_000_000  # bytes that a host may still take in the test of a full memory

pytestmark = pytest.mark.skipif(
    not os.environ.get("RETAKE_TEST_ENGINES"), reason="fetches gigabytes of packages: 'python3 bootstrap.py test --engines' runs it"
)


@dataclass(frozen=True)
class Installed:
    home: Path
    engine: registry.Engine
    reference: Path


def note(name: str, text: str) -> None:
    """A line of the log that is kept of a run, PLACE/log.txt."""
    with (PLACE / "log.txt").open("a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%H:%M:%S')}  {name:16} {text}\n")


def megabytes(folder: Path) -> str:
    return f"{sum(file.lstat().st_size for file in folder.rglob('*') if file.is_file()) / 1e6:.0f} MB"


def retake(*arguments: str, home: Path, seconds: float, **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "retake", *arguments]
    environment = {**os.environ, "RETAKE_HOME": str(home), **more}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=seconds, check=False)


@pytest.fixture(scope="module", params=["pocket", "xtts", "chatterbox", "chatterbox-many"])
def installed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
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
    started = time.monotonic()
    first = retake(*install, home=home, seconds=20 * MINUTES)
    assert "does not hold" in first.stdout + first.stderr, first.stdout + first.stderr
    note(name, f"environment in {time.monotonic() - started:.1f} s, {megabytes(folder / 'env')}")
    python = folder / "env" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    script = Path(__file__).parent / "twins" / f"{name.partition('-')[0]}.py"
    made = subprocess.run([str(python), "-I", str(script), str(twin), name], capture_output=True, text=True, timeout=15 * MINUTES, check=False)
    assert made.returncode == 0, made.stderr
    started = time.monotonic()
    second = retake(*install, home=home, seconds=5 * MINUTES)
    assert second.returncode == 0, second.stdout + second.stderr
    packages = json.loads((folder / registry.RECORD).read_text(encoding="utf-8"))["packages"]
    numbers = "; ".join(made.stdout.split("\n")).strip("; ")
    note(name, f"installed from a folder in {time.monotonic() - started:.1f} s: {len(packages)} packages, weights {megabytes(twin)} ({numbers})")
    reference = tmp_path_factory.mktemp("voice") / "reference.wav"
    write_wav(reference, read_audio(PRESENTER / "presenter.mp4", 48000), 48000)
    log_of(home, name).unlink(missing_ok=True)
    return Installed(home, registry.ready_engine(home, name, "voice"), reference)


@pytest.fixture(scope="module")
def pool(installed: Installed) -> Iterator[Hosts]:
    made = Hosts(installed.home)
    yield made
    made.close()


def order(installed: Installed, **fields: object) -> dict[str, object]:
    known: dict[str, object] = {
        "text": LINE,
        "sentences": [LINE],
        "language": "en",
        "reference": str(installed.reference),
        "voice_key": "presenter",
        "seed": 1,
        "pace": 1.0,
    }
    return known | fields


def peak(host: HostProcess) -> str:
    """The most memory that a host has held, where the system tells it."""
    status = Path(f"/proc/{host.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((f"at most {int(line.split()[1]) / 1e3:.0f} MB of memory" for line in lines if line.startswith("VmHWM")), "memory unknown")


def speak(host: HostProcess, fields: dict[str, object]) -> np.ndarray:
    parts = list(host.stream("speak", fields, Progress()))
    assert {part.fields["rate"] for part in parts} == {24000}
    return np.concatenate([np.frombuffer(part.arrays["samples"].data, np.float32) for part in parts])


def test_it_is_listed_with_what_was_tried(installed: Installed) -> None:
    answer = retake("engines", "list", "--json", home=installed.home, seconds=MINUTES)
    [one] = [one for one in json.loads(answer.stdout)["engines"] if one["name"] == installed.engine.name]
    assert one["available"] is True and one["tried"] == "tried with a small random model, never with real weights"
    record = installed.engine.installed
    assert record is not None
    assert set(installed.engine.manifest.python.requirements) <= set(record.packages)
    assert (record.accepted_at is not None) == installed.engine.manifest.licence.accept


def test_it_learns_a_voice_and_speaks(installed: Installed, pool: Hosts) -> None:
    started = time.monotonic()
    with pool.use(installed.engine, Progress(), voice=installed.reference) as host:
        note(installed.engine.name, f"loaded in {time.monotonic() - started:.1f} s on {host.device}, as process {host.pid}")
        started = time.monotonic()
        first = speak(host, order(installed))
        note(installed.engine.name, f"learnt the voice and said {len(first) / 24000:.2f} s in {time.monotonic() - started:.2f} s")
        started = time.monotonic()
        again = speak(host, order(installed))
        note(installed.engine.name, f"said the same {len(again) / 24000:.2f} s again in {time.monotonic() - started:.2f} s, {peak(host)}")
        assert len(first) > 24000 * 0.2 and np.isfinite(first).all() and 1e-4 < first.std() < 1.0
        assert np.array_equal(first, again)
        other = speak(host, order(installed, seed=2))
        assert len(other) != len(first) or not np.array_equal(other, first)
        # Smaller pieces of a text of one short sentence are the same pieces.
        assert np.array_equal(first, speak(host, order(installed, smaller=True)))
        if host.paces:
            assert len(speak(host, order(installed, pace=1.5))) < 0.9 * len(first)
    verify(installed.engine, Progress())  # reading the weights has not changed them


def test_it_speaks_the_languages_it_names_and_refuses_others(installed: Installed, pool: Hosts) -> None:
    languages = installed.engine.manifest.languages
    with pool.use(installed.engine, Progress()) as host:
        if len(languages) > 1:
            english, german = speak(host, order(installed)), speak(host, order(installed, language="de"))
            assert len(english) != len(german) or not np.array_equal(english, german)
        if installed.engine.name != "pocket":  # it has one model for each language, and takes no language
            with pytest.raises(RetakeError) as caught:
                speak(host, order(installed, language="tlh"))
            assert caught.value.code == "engine_refused" and all(tag.partition("-")[0] in caught.value.remedy for tag in languages)


def test_long_text_without_a_full_stop_is_cut_to_what_the_engine_takes(installed: Installed, pool: Hosts) -> None:
    if installed.engine.name.startswith("chatterbox"):
        pytest.skip("minutes of processor time for a check that the host's own tests make")
    text = "hello there my friend " * 30
    with pool.use(installed.engine, Progress()) as host:
        assert len(speak(host, order(installed, text=text, sentences=[text]))) > 24000


def test_another_reference_is_another_voice(installed: Installed, pool: Hosts, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0.0, 0.1, 48000 * 8).astype(np.float32)
    write_wav(tmp_path / "noise.wav", noise, 48000)
    with pool.use(installed.engine, Progress()) as host:
        presenter = speak(host, order(installed))
        somebody = speak(host, order(installed, reference=str(tmp_path / "noise.wav"), voice_key="noise"))
    assert len(presenter) != len(somebody) or not np.array_equal(presenter, somebody)


def test_a_speaker_enrolled_again_is_learnt_anew(installed: Installed, pool: Hosts, tmp_path: Path) -> None:
    """By the file, even where the key stayed the same: what was cached of the voice went with the process."""
    person = tmp_path / "person.wav"
    shutil.copyfile(installed.reference, person)
    with pool.use(installed.engine, Progress(), voice=person) as host:
        before, first = speak(host, order(installed, reference=str(person), voice_key="person")), host.pid
    with pool.use(installed.engine, Progress(), voice=person) as host:
        assert host.pid == first
    write_wav(person, np.random.default_rng(0).normal(0.0, 0.1, 48000 * 8).astype(np.float32), 48000)
    with pool.use(installed.engine, Progress(), voice=person) as host:
        after = speak(host, order(installed, reference=str(person), voice_key="person"))
        assert host.pid != first
    note(installed.engine.name, f"enrolled again: process {first} made room for {host.pid}, which learnt the new reference")
    assert len(before) != len(after) or not np.array_equal(before, after)


def test_cancelling_ends_within_seconds_and_the_next_line_works(installed: Installed, pool: Hosts) -> None:
    progress, when = Progress(), [0.0]

    def stop() -> None:
        when[0] = time.monotonic()
        progress.cancel()

    timer = threading.Timer(1.0, stop)
    sentence = "Hello there, my friend."
    with pool.use(installed.engine, Progress()) as host:
        speak(host, order(installed))  # the voice is learnt: what is cancelled is the line
        timer.start()
        with pytest.raises(Cancelled):
            list(host.stream("speak", order(installed, text=" ".join([sentence] * 200), sentences=[sentence] * 200), progress))
        took = time.monotonic() - when[0]
    timer.join()
    note(installed.engine.name, f"cancelled at work: over after {took:.2f} s; {'still' if pool.loaded() else 'no longer'} loaded")
    assert took < 5.0  # one for the asking; a process of gigabytes on a busy machine takes its time to end
    with pool.use(installed.engine, Progress()) as host:
        assert len(speak(host, order(installed)))


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of another process can be limited on Linux alone")
def test_a_full_memory_is_told_and_less_is_tried_in_a_new_process(installed: Installed, pool: Hosts) -> None:
    import resource

    with pytest.raises(OutOfMemory) as caught, pool.use(installed.engine, Progress()) as host:
        speak(host, order(installed))
        assert host.pid is not None
        held = int(Path(f"/proc/{host.pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(host.pid, resource.RLIMIT_AS, (held + MEMORY_LEFT, resource.RLIM_INFINITY))
        sentence = "Hello there, my friend, and this line goes on for longer than the memory does."
        speak(host, order(installed, text=" ".join([sentence] * 20), sentences=[sentence] * 20, voice_key="again"))
    assert pool.loaded() == []
    note(installed.engine.name, f"memory full: {caught.value}")
    with pool.use(installed.engine, Progress()) as host:
        assert len(speak(host, order(installed, smaller=True)))


def test_unloading_ends_the_process(installed: Installed, pool: Hosts) -> None:
    with pool.use(installed.engine, Progress()) as host:
        speak(host, order(installed))
        pid = host.pid
    started = time.monotonic()
    pool.make_room()
    note(installed.engine.name, f"unloaded in {time.monotonic() - started:.2f} s")
    assert pool.loaded() == [] and pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_nothing_was_looked_for_on_the_network(installed: Installed) -> None:
    log = log_of(installed.home, installed.engine.name).read_text(encoding="utf-8", errors="replace")
    assert log and "refused connection: " not in log


def test_it_works_where_no_socket_can_be_opened(installed: Installed, tmp_path: Path) -> None:
    """The tests' own guard refuses sockets of native code too, by the kernel, in the command and in the host that it starts."""
    refused = tmp_path / "refused.txt"
    guard = {"PYTHONPATH": str(ROOT / "tests" / "offline"), "RETAKE_TEST_REFUSED": str(refused)}
    done = retake("engines", "test", installed.engine.name, "--json", home=installed.home, seconds=5 * MINUTES, **guard)
    assert done.returncode == 0, done.stdout + done.stderr
    note(installed.engine.name, f"engines test without a socket: {' '.join(done.stdout.split())}")
    confidence = json.loads(done.stdout)["confidence"]
    assert confidence is None or confidence < 0.5  # noise is not taken for words
    assert not refused.exists() or not refused.read_text()
