"""Engines in processes of their own: a toy one, and all the ways in which it may misbehave."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_engine import Toy, misbehaving, write_toy

from retake.domain.errors import Cancelled, RetakeError
from retake.domain.progress import Progress
from retake.engines import registry
from retake.engines.failures import HostFailure, OutOfMemory
from retake.engines.hosts import Hosts, log_of
from retake.engines.install import install
from retake.engines.process import HostProcess
from retake.engines.registry import Engine
from retake.engines.room import Free, Machine

ORDER = {"text": "hello there", "language": "en", "seed": 1}
HELLO_SAMPLES = 2 * (int((0.08 * 5 + 0.04) * 24000) + int(0.06 * 24000))  # two words of five letters with seed 1, see the page


class Memory:
    """A machine whose memory the test sets."""

    def __init__(self, ram: int = 8000, gpu: Free | None = None) -> None:
        self.free = ram
        self.card = gpu

    def ram(self) -> Free:
        return Free(self.free, 16000)

    def gpu(self) -> Free | None:
        return self.card


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def pool(home: Path) -> Iterator[Hosts]:
    made = Hosts(home, room=Memory())
    yield made
    made.close()


def ask(host: HostProcess, progress: Progress | None = None, **fields: object) -> int:
    """Samples that the engine makes for ORDER."""
    parts = list(host.stream("speak", ORDER | fields, progress or Progress()))
    assert all(part.fields["rate"] == 24000 for part in parts)
    return sum(part.arrays["samples"].shape[0] for part in parts)


def say(pool: Hosts, engine: Engine, progress: Progress | None = None) -> int:
    with pool.use(engine, progress or Progress()) as host:
        return ask(host, progress)


def process_is_gone(pid: int, seconds: float) -> bool:
    """Whether the process ends within so many seconds. One that only waits to be asked for its exit code counts as gone."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.02)
    return False


def test_it_is_loaded_once_and_speaks(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = write_toy(tmp_path / "toy").install(home)
    told: list[float] = []
    with pool.use(engine, Progress()) as host:
        assert ask(host) == HELLO_SAMPLES
        first = host.pid
        parts = list(host.stream("speak", ORDER, Progress(lambda stage, fraction, detail: told.append(fraction))))
    samples = array("f", bytes(parts[0].arrays["samples"].data))
    assert 0.1 < max(samples) < 1.0 and told and max(told) <= 1.0
    with pool.use(engine, Progress()) as host:
        assert host.pid == first and host.load_seconds < 5
    assert pool.loaded() == ["toy"]


def test_what_it_prints_goes_into_the_log_and_not_into_the_sound(home: Path, tmp_path: Path, pool: Hosts) -> None:
    chatter = "import os, sys\nprint('hello from python')\nos.write(1, b'hello from native code\\n' * 500)\nsys.stderr.write('grumble\\n')"
    engine = misbehaving(tmp_path / "toy", chatter).install(home)
    assert say(pool, engine) == HELLO_SAMPLES
    log = log_of(home, "toy").read_text()
    assert "hello from python" in log and log.count("hello from native code") == 500 and "grumble" in log


def test_noise_before_the_program_starts(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = write_toy(tmp_path / "toy").install(home)
    [packages] = (engine.folder / "env").glob("**/site-packages")
    (packages / "noise.pth").write_text("import os; os.write(1, b'Deprecated: something\\n')\n")
    assert say(pool, engine) == HELLO_SAMPLES


def test_nonsense_in_its_answers(home: Path, tmp_path: Path, pool: Hosts) -> None:
    nonsense = "import os\nfor number in range(3, 12):\n    try:\n        os.write(number, b'nonsense' * 10)\n    except OSError:\n        pass"
    engine = misbehaving(tmp_path / "toy", nonsense).install(home)
    with pytest.raises(HostFailure) as caught:
        say(pool, engine)
    assert caught.value.code == "engine_garbled" and pool.loaded() == []


@pytest.mark.parametrize(
    ("lines", "ending"),
    [
        ("import os, sys\nsys.stderr.write('the last thing it said\\n')\nsys.stderr.flush()\nos._exit(7)", (7, "exit code 7")),
        ("import os\nprint('the last thing it said', flush=True)\nos.kill(os.getpid(), 11)", (-11, "SIGSEGV")),
    ],
)
def test_a_crash_is_told_with_exit_code_and_log(home: Path, tmp_path: Path, pool: Hosts, lines: str, ending: tuple[int, str]) -> None:
    engine = misbehaving(tmp_path / "toy", f"if order.seed == 5:\n    {lines.replace(chr(10), chr(10) + '    ')}").install(home)
    with pool.use(engine, Progress()) as host, pytest.raises(HostFailure) as caught:
        ask(host, seed=5)
    assert caught.value.code == "engine_crashed" and (caught.value.exit_code, ending[1] in caught.value.cause) == (ending[0], True)
    assert caught.value.log_tail[-1] == "the last thing it said" and "the last thing it said" in caught.value.cause
    assert say(pool, engine) == HELLO_SAMPLES  # the next line gets a new process


def test_a_killed_host_hints_at_memory(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = misbehaving(tmp_path / "toy", "import os\nos.kill(os.getpid(), 9)").install(home)
    with pytest.raises(HostFailure) as caught:
        say(pool, engine)
    assert caught.value.exit_code == -9 and "memory" in caught.value.remedy


def test_its_own_errors_are_told_and_do_not_end_it(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = misbehaving(tmp_path / "toy", "if order.seed == 5:\n    raise ValueError('no such phoneme')").install(home)
    with pool.use(engine, Progress()) as host:
        with pytest.raises(HostFailure) as caught:
            ask(host, seed=5)
        assert caught.value.code == "engine_failed" and "ValueError: no such phoneme" in caught.value.cause
        assert ask(host) == HELLO_SAMPLES
    assert "Traceback" in log_of(home, "toy").read_text()


def test_refusals_are_the_users_affair(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = misbehaving(tmp_path / "toy", "raise order.refuse('Too many words.', 'Use fewer.')").install(home)
    with pytest.raises(RetakeError) as caught:
        say(pool, engine)
    assert (caught.value.cause, caught.value.remedy, caught.value.code) == ("Too many words.", "Use fewer.", "engine_refused")


@pytest.mark.parametrize("piece", ["array('d', [0.0]), RATE", "b'1234', RATE", "None", "array('f', [0.0]), 'fast'"])
def test_sound_of_a_wrong_kind(home: Path, tmp_path: Path, pool: Hosts, piece: str) -> None:
    engine = misbehaving(tmp_path / "toy", f"yield {piece}").install(home)
    with pytest.raises(HostFailure) as caught:
        say(pool, engine)
    assert caught.value.code == "engine_failed"


def test_hanging_at_work(home: Path, tmp_path: Path, pool: Hosts) -> None:
    toy = misbehaving(tmp_path / "toy", "import time\ntime.sleep(60)")
    limits(toy, silence_seconds=0.6)
    begun = time.monotonic()
    with pytest.raises(HostFailure) as caught:
        say(pool, toy.install(home))
    assert caught.value.code == "engine_hung" and "working" in caught.value.cause and time.monotonic() - begun < 5


def test_hanging_while_loading(home: Path, tmp_path: Path, pool: Hosts) -> None:
    toy = misbehaving(tmp_path / "toy", "", load="import time\ntime.sleep(60)")
    limits(toy, start_seconds=0.6)
    with pytest.raises(HostFailure) as caught:
        say(pool, toy.install(home))
    assert caught.value.code == "engine_hung" and "loading" in caught.value.cause


def test_a_slow_start_that_shows_signs_of_life(home: Path, tmp_path: Path, pool: Hosts) -> None:
    toy = misbehaving(tmp_path / "toy", "", load="import time\nfor step in range(8):\n    time.sleep(0.2)\n    setup.report(step / 8)")
    limits(toy, start_seconds=0.9)
    assert say(pool, toy.install(home)) == HELLO_SAMPLES


def test_an_engine_that_cannot_be_loaded(home: Path, tmp_path: Path, pool: Hosts) -> None:
    toy = misbehaving(tmp_path / "toy", "", load="import a_package_that_is_missing")
    with pytest.raises(HostFailure) as caught:
        say(pool, toy.install(home))
    assert "ModuleNotFoundError" in caught.value.cause and pool.loaded() == []


def cancelled_after(seconds: float, pool: Hosts, engine: Engine) -> float:
    """Seconds from the cancellation to its end."""
    progress = Progress()
    when: list[float] = []

    def stop() -> None:
        when.append(time.monotonic())
        progress.cancel()

    timer = threading.Timer(seconds, stop)
    timer.start()
    with pytest.raises(Cancelled):
        say(pool, engine, progress)
    timer.join()
    return time.monotonic() - when[0]


def test_cancelling_an_engine_that_listens_keeps_it_loaded(home: Path, tmp_path: Path, pool: Hosts) -> None:
    lines = "import time\nif order.seed == 1:\n    for step in range(200):\n        time.sleep(0.05)\n        order.report(0)"
    engine = misbehaving(tmp_path / "toy", lines).install(home)
    with pool.use(engine, Progress()) as host:
        ask(host, seed=2)
        before = host.pid
    assert cancelled_after(0.3, pool, engine) < 1.0
    with pool.use(engine, Progress()) as host:
        assert host.pid == before and ask(host, seed=4) == HELLO_SAMPLES  # 4 % 3 == 1: as long as with ORDER's seed


def test_cancelling_an_engine_that_does_not_listen_ends_it_within_two_seconds(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = misbehaving(tmp_path / "toy", "import time\ntime.sleep(60)").install(home)
    assert cancelled_after(0.5, pool, engine) < 2.0
    assert pool.loaded() == []


def test_cancelling_while_it_loads(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = misbehaving(tmp_path / "toy", "", load="import time\ntime.sleep(60)").install(home)
    assert cancelled_after(0.5, pool, engine) < 2.0


def test_who_stops_taking_pieces_cancels(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = write_toy(tmp_path / "toy").install(home)
    with pool.use(engine, Progress()) as host:
        pieces = host.stream("speak", {**ORDER, "text": "one two three " * 200}, Progress())
        next(pieces)
        pieces.close()
        assert host.alive and ask(host) == HELLO_SAMPLES


def test_out_of_memory_lets_the_engine_go(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = misbehaving(tmp_path / "toy", "if not order.smaller:\n    raise MemoryError").install(home)
    with pytest.raises(OutOfMemory) as caught:
        say(pool, engine)
    assert caught.value.code == "engine_out_of_memory" and pool.loaded() == []
    with pool.use(engine, Progress()) as host:
        assert ask(host, smaller=True) == HELLO_SAMPLES


def test_full_gpus_are_known_by_the_name_of_their_error(home: Path, tmp_path: Path, pool: Hosts) -> None:
    lines = "class OutOfMemoryError(RuntimeError):\n    pass\nraise OutOfMemoryError('CUDA out of memory. Tried to allocate 20.00 MiB')"
    engine = misbehaving(tmp_path / "toy", lines).install(home)
    with pytest.raises(OutOfMemory):
        say(pool, engine)


def test_idle_engines_are_unloaded(home: Path, tmp_path: Path) -> None:
    now = [0.0]
    pool = Hosts(home, room=Memory(), clock=lambda: now[0], settle=0.1)
    engine = write_toy(tmp_path / "toy").install(home)
    with pool.use(engine, Progress()) as host:
        pid = host.pid
        now[0] = 10_000.0
        pool.sweep()
        assert pool.loaded() == ["toy"]  # at work
    now[0] += 500.0
    pool.sweep()
    assert pool.loaded() == ["toy"]
    now[0] += 200.0
    pool.sweep()
    assert pool.loaded() == [] and pid is not None and process_is_gone(pid, 1.0)
    pool.close()


def test_a_deleted_speaker_takes_the_learnt_voice_along(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = write_toy(tmp_path / "toy").install(home)
    voice = tmp_path / "reference.wav"
    voice.write_bytes(b"somebody")
    with pool.use(engine, Progress(), voice=voice) as host:
        ask(host)
        pid = host.pid
    pool.sweep()
    assert pool.loaded() == ["toy"]
    voice.unlink()
    pool.sweep()
    assert pool.loaded() == [] and pid is not None and process_is_gone(pid, 1.0)
    assert say(pool, engine) == HELLO_SAMPLES
    pool.sweep()
    assert pool.loaded() == ["toy"]  # the new process has learnt nothing of that voice


def test_a_speaker_who_is_enrolled_again_is_learnt_anew(home: Path, tmp_path: Path, pool: Hosts) -> None:
    """Before the next line, and by the watch where no line comes."""
    engine = write_toy(tmp_path / "toy").install(home)
    voice = tmp_path / "reference.wav"
    voice.write_bytes(b"somebody")

    def process() -> int | None:
        with pool.use(engine, Progress(), voice=voice) as host:
            ask(host)
            return host.pid

    first = process()
    assert process() == first
    voice.unlink()
    voice.write_bytes(b"somebody, recorded again")
    second = process()
    assert second != first and process() == second
    voice.write_bytes(b"and once more")
    pool.sweep()
    assert pool.loaded() == []


def test_refused_connections_are_kept_in_the_log(home: Path, tmp_path: Path, pool: Hosts) -> None:
    lines = "import socket\ntry:\n    socket.create_connection(('192.0.2.1', 443), 1)\nexcept OSError:\n    pass"
    engine = misbehaving(tmp_path / "toy", lines).install(home)
    assert say(pool, engine) == HELLO_SAMPLES
    assert "refused connection: 192.0.2.1" in log_of(home, "toy").read_text()


def test_one_at_a_time_unless_they_fit(home: Path, tmp_path: Path) -> None:
    room = Memory(ram=8000, gpu=Free(9000, 10_000))
    pool = Hosts(home, room=room, settle=0.1)
    engines: list[Engine] = []
    for name in ("first", "second", "third"):
        toy = write_toy(tmp_path / name)
        toy.rewrite("toy.toml", 'name = "toy"', f'name = "{name}"')
        toy.rewrite("toy.toml", 'devices = ["cpu"]', 'devices = ["cuda"]')
        toy.rewrite("toy.toml", "vram_mb = 0", "vram_mb = 4000")
        (tmp_path / name / "toy.toml").rename(tmp_path / name / f"{name}.toml")
        install(home, name, source=tmp_path / name, progress=Progress())
        engines.append(registry.engine(home, name))
    say(pool, engines[0])
    room.card = Free(5000, 10_000)
    say(pool, engines[1])
    assert pool.loaded() == ["first", "second"]  # they fit
    room.card = Free(1000, 10_000)
    with pytest.raises(RetakeError) as caught:
        say(pool, engines[2])  # nothing became free, whoever was let go
    assert caught.value.code == "engine_no_memory" and "4.0 GB" in caught.value.cause and "1.0 of 10.0 GB" in caught.value.cause
    assert pool.loaded() == []
    room.card = Free(3000, 3500)
    with pytest.raises(RetakeError) as caught:
        say(pool, engines[0])
    assert caught.value.code == "engine_needs_gpu"
    pool.close()


def test_the_one_unused_for_longest_goes_first(home: Path, tmp_path: Path) -> None:
    now = [0.0]
    room = Memory(ram=100)
    pool = Hosts(home, room=room, clock=lambda: now[0], settle=0.1)
    first = write_toy(tmp_path / "toy").install(home)
    other = write_toy(tmp_path / "other")
    other.rewrite("toy.toml", 'name = "toy"', 'name = "other"')
    (tmp_path / "other" / "toy.toml").rename(tmp_path / "other" / "other.toml")
    install(home, "other", source=tmp_path / "other", progress=Progress())
    say(pool, first)
    room.free = 10
    with pytest.raises(RetakeError) as caught:
        say(pool, registry.engine(home, "other"))
    assert caught.value.code == "engine_no_memory" and pool.loaded() == []
    pool.close()


def test_this_machine_tells_its_memory() -> None:
    ram = Machine().ram()
    assert 0 < ram.free <= ram.total


def test_the_network_is_refused(home: Path, tmp_path: Path, pool: Hosts) -> None:
    lines = "import urllib.request\nurllib.request.urlopen('http://example.org/model.bin', timeout=5)"
    engine = misbehaving(tmp_path / "toy", lines).install(home)
    with pytest.raises(HostFailure) as caught:
        say(pool, engine)
    assert caught.value.code in {"engine_network", "engine_failed"} and "example.org" in caught.value.cause


def test_it_sees_no_secrets_and_is_told_to_stay_offline(home: Path, tmp_path: Path, pool: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret-value")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    lines = "import os, sys\nprint('ENVIRONMENT', dict(os.environ), 'PATH', sys.path, flush=True)"
    engine = misbehaving(tmp_path / "toy", lines).install(home)
    say(pool, engine)
    log = log_of(home, "toy").read_text()
    assert "secret-value" not in log and "/nowhere" not in log
    assert "'HF_HUB_OFFLINE': '1'" in log and "'DO_NOT_TRACK': '1'" in log and f"'HF_HOME': '{engine.folder / 'cache'}'" in log
    assert "retake/engines'" not in log  # none of our modules can stand in for the engine's


def test_another_version_of_the_protocol(home: Path, tmp_path: Path, pool: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = write_toy(tmp_path / "toy").install(home)
    monkeypatch.setattr("retake.engines.host.retake_host.wire.PROTOCOL", 2)
    with pytest.raises(HostFailure) as caught:
        say(pool, engine)
    assert caught.value.code == "engine_protocol"


def test_an_environment_that_was_removed(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = write_toy(tmp_path / "toy").install(home)
    (engine.folder / "env").rename(engine.folder / "gone")
    with pytest.raises(HostFailure) as caught:
        say(pool, engine)
    assert caught.value.code == "engine_not_startable" and "install toy" in caught.value.remedy


def test_threads_take_turns(home: Path, tmp_path: Path, pool: Hosts) -> None:
    engine = write_toy(tmp_path / "toy").install(home)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(say(pool, engine))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(600)
    assert found == [HELLO_SAMPLES] * 4


@pytest.mark.skipif(sys.platform == "win32", reason="asks for processes by signal")
def test_it_dies_with_its_parent_and_what_it_started_too(home: Path, tmp_path: Path) -> None:
    lines = "import subprocess, sys, time\nchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    lines += "print('child', child.pid, flush=True)\ntime.sleep(60)"
    misbehaving(tmp_path / "toy", lines).install(home)
    program = (
        "import sys\nfrom pathlib import Path\nfrom retake.domain.progress import Progress\nfrom retake.engines import registry\n"
        "from retake.engines.hosts import Hosts\nhome = Path(sys.argv[1])\n"
        "with Hosts(home).use(registry.engine(home, 'toy'), Progress()) as host:\n    print(host.pid, flush=True)\n"
        "    list(host.stream('speak', {'text': 'a', 'language': 'en'}, Progress()))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        host = int(parent.stdout.readline())
        log = log_of(home, "toy")
        until = time.monotonic() + 20
        while "child" not in log.read_text() and time.monotonic() < until:
            time.sleep(0.05)
        child = int(log.read_text().split("child")[1].split()[0])
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        if parent.stdout is not None:
            parent.stdout.close()
    assert process_is_gone(host, 2.0) and process_is_gone(child, 2.0)


def limits(toy: Toy, **seconds: float) -> None:
    with (toy.folder / "toy.toml").open("a", encoding="utf-8") as file:
        file.write("\n[limits]\n" + "".join(f"{name} = {value}\n" for name, value in seconds.items()))
