"""A real daemon to attack, and what must still be true of it after each attack."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from daemon_process import Daemon, daemon
from enrolled import face_model

from retake.settings import LimitSettings, ServerSettings, Settings, WatchSettings, save_settings

SECRET = "nobody outside may read this"
# Open files that a process may have on most systems, unless somebody raised it.
USUAL_FILES = 1024
HEALTH_SECONDS = 1.0
RAW_SECONDS = 5.0  # an answer must begin within
UPLOAD_BYTES = 64 * 1024**2
OVER = {"succeeded", "failed", "cancelled"}


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    examples: int = 40  # of each call, by schemathesis, of each kind
    videos: int = 100
    streams: int = 300
    idle: int = 2000
    slow: int = 20


@dataclass
class Row:
    """What one attack met."""

    name: str
    outcomes: Counter[str]
    seconds: float
    health: float  # seconds that the health check took afterwards
    ready: float  # seconds until a worker was ready again
    memory: float  # MiB of the daemon
    files: int  # that the daemon has open

    @property
    def cases(self) -> int:
        return self.outcomes.total()


@dataclass
class Target:
    """The daemon under attack, and what was found."""

    running: Daemon
    place: Path  # holds everything: the home folder, the root, what is outside
    token: str
    http: httpx.Client  # with the token
    problems: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return self.place / "root"

    @property
    def outside(self) -> Path:
        return self.place / "outside"

    @property
    def watched(self) -> Path:
        return self.place / "watched"

    @property
    def port(self) -> int:
        return int(self.http.base_url.port or 0)

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(self.running.process.pid)

    def problem(self, text: str) -> None:
        self.problems.append(text[:600])

    def note(self, outcomes: Counter[str], what: str, answer: httpx.Response, allowed: str = "4") -> httpx.Response:
        """Count an answer; whatever is not of a class in `allowed` ("24": 2xx or 4xx), or is no clear refusal, is a problem."""
        code = ""
        text = answer.text if len(answer.content) < 1_000_000 else ""
        if answer.status_code >= 400:
            try:
                error = answer.json()["error"]
                code = error["code"]
                clear = bool(error["cause"] and error["remedy"])
            except (ValueError, KeyError, TypeError):
                clear = answer.request.method == "HEAD"
            if not clear:
                self.problem(f"{what}: {answer.status_code} says neither cause nor remedy: {text[:200]}")
        if str(answer.status_code)[0] not in allowed:
            self.problem(f"{what}: {answer.status_code} {text[:300]}")
        if SECRET in text or self.token in text or "Traceback" in text:
            self.problem(f"{what}: the answer tells what it must not: {text[:300]}")
        outcomes[f"{answer.status_code} {code}".strip()] += 1
        return answer

    def ask(self, outcomes: Counter[str], method: str, path: str, allowed: str = "4", **options: Any) -> httpx.Response | None:
        """One call; a broken connection is a problem."""
        what = f"{method} {path[:100]} {str(options)[:150]}"
        try:
            return self.note(outcomes, what, self.http.request(method, path, **options), allowed)
        except httpx.HTTPError as error:
            self.problem(f"{what}: {error!r}")
            return None

    def raw(self, data: bytes, seconds: float = RAW_SECONDS) -> bytes:
        """What is answered to these bytes, until the other side closes or is silent for a moment."""
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            end = time.monotonic() + seconds
            with contextlib.suppress(OSError):  # it may refuse before all is sent, and a timeout is silence
                connection.sendall(data)
            with contextlib.suppress(OSError):
                while time.monotonic() < end:
                    connection.settimeout(0.3 if received else max(0.05, end - time.monotonic()))
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    received += piece
        return received

    def head(self, *lines: str) -> bytes:
        """Header lines of a request that is let in."""
        return "\r\n".join([f"Host: 127.0.0.1:{self.port}", f"Authorization: Bearer {self.token}", *lines, "", ""]).encode("latin-1")

    def line(self, text: str, **more: Any) -> dict[str, Any]:
        return {"spec": {"kind": "line", "request": {"speaker": "presenter", "text": text, "width": 128, "height": 128, **more}}}

    def finish_all(self, jobs: list[str], outcomes: Counter[str], seconds: float, what: str) -> dict[str, dict[str, Any]]:
        """Wait until these jobs are over; each must be done or say why not."""
        end = time.monotonic() + seconds
        found: dict[str, dict[str, Any]] = {}
        for job_id in jobs:
            while True:
                job = self.http.get(f"/v1/jobs/{job_id}").json()
                if job["state"] in OVER:
                    break
                if time.monotonic() > end:
                    self.problem(f"{what}: job {job_id} is {job['state']} after {seconds:.0f} s: {job['progress']}")
                    self.http.post(f"/v1/jobs/{job_id}/cancel")
                    break
                time.sleep(0.05)
            found[job_id] = job
            error = job["error"] or {}
            outcomes[f"job {job['state']} {error.get('code', '')}".strip()] += 1
            if job["state"] == "failed":
                if not (error["cause"] and error["remedy"]) or error["kind"] == "crash" or error["code"] == "internal":
                    self.problem(f"{what}: {error['code']} ({error['kind']}): {error['cause'][:200]} {' '.join(error['log_tail'])[-200:]}")
                if SECRET in json.dumps(job):
                    self.problem(f"{what}: the job tells what is outside")
        return found

    def attack(self, name: str, run: Callable[[Target, Scale], Counter[str]], scale: Scale) -> Row:
        """Run an attack and look at the daemon afterwards."""
        began = time.monotonic()
        outcomes = run(self, scale)
        seconds = time.monotonic() - began
        row = dataclasses.replace(self.vital_signs(name), outcomes=outcomes, seconds=seconds)
        self.rows.append(row)
        return row

    def vital_signs(self, name: str) -> Row:
        """Is it there, does it answer at once, is it the same process, is a worker ready? Raises AssertionError if it is dead."""
        assert self.running.process.poll() is None, f"the daemon died in '{name}':\n{self.running.printed()[-2000:]}"
        began = time.monotonic()
        with httpx.Client(base_url=self.http.base_url, trust_env=False, timeout=10) as stranger:
            answer = stranger.get("/v1/health")
        health = time.monotonic() - began
        if answer.status_code != 200 or health > HEALTH_SECONDS:
            self.problem(f"{name}: the health check was answered with {answer.status_code} after {health:.2f} s")
        stands = json.loads((self.running.home / "daemon.json").read_text(encoding="utf-8"))["pid"]
        if stands != self.running.process.pid:
            self.problem(f"{name}: another process serves now")
        waited = self.until_ready(60.0)
        if waited is None:
            self.problem(f"{name}: no worker is ready after a minute")
        process = self.process
        return Row(name, Counter(), 0.0, health, waited or -1.0, process.memory_info().rss / 1024**2, process.num_fds())

    def until_ready(self, seconds: float) -> float | None:
        """How long it took until a worker had nothing to do; None: too long."""
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            answer = self.http.get("/v1/ready")
            if answer.status_code == 200 and any(worker["state"] == "ready" for worker in answer.json()["workers"]):
                return time.monotonic() - began
            time.sleep(0.05)
        return None

    def check_traces(self) -> None:
        """Nothing may have been written where nobody allowed it, and no secret or traceback into a log."""
        for name, before in self._quiet_places().items():
            if before:
                self.problem(f"something was written in {name}: {before[:5]}")
        if (self.outside / "secret.txt").read_text(encoding="utf-8") != SECRET or len(list(self.outside.iterdir())) != 1:
            self.problem(f"the folder outside was changed: {[path.name for path in self.outside.iterdir()]}")
        if any(Path("/tmp").glob("retake-hostile-escape*")):
            self.problem("a file came to be in /tmp")
        logs = [path for path in (self.running.home / "logs").rglob("*") if path.is_file()]
        for path in [*logs, self.running.output]:
            text = path.read_text(encoding="utf-8", errors="replace")
            for unwanted in ("Traceback", self.token, SECRET):
                if unwanted in text:
                    at = text.index(unwanted)
                    shown = "the token" if unwanted == self.token else text[max(0, at - 200) : at + 1500]
                    self.problems.append(f"{path.name} holds {shown}")

    def _quiet_places(self) -> dict[str, list[str]]:
        """Places in which a daemon has no business, and what lies there now."""
        return {name: [str(path) for path in (self.place / name).rglob("*") if path.is_file()] for name in ("here", "user")}


@contextlib.contextmanager
def target(place: Path, home: Path) -> Iterator[Target]:
    """A real `retake serve` over `place`, which is empty; with the speakers of the home folder `home`."""
    for name in ("root", "outside", "watched", "here", "user", "temporary"):
        (place / name).mkdir(mode=0o700)
    own = place / "home"
    shutil.copytree(home / "speakers", own / "speakers")
    (place / "outside" / "secret.txt").write_text(SECRET, encoding="utf-8")
    settings = Settings(
        workers=1,
        server=ServerSettings(roots=(str(place / "root"),)),
        limits=LimitSettings(upload_bytes=UPLOAD_BYTES, media_seconds=600, decode_seconds=60),
        watch=(WatchSettings(folder=str(place / "watched"), speaker="presenter"),),
    )
    save_settings(own, settings)
    model = face_model()
    assert model is not None, "the face model is not installed"
    # Whatever is written by a relative name, or into the user's own folder, is seen.
    environment = {
        **os.environ,
        "RETAKE_HOME": str(own),
        "HOME": str(place / "user"),
        "TMPDIR": str(place / "temporary"),
        "RETAKE_FACE_LANDMARKER": str(model),
    }
    with contextlib.chdir(place / "here"), daemon(own, environment=environment) as running:
        psutil.Process(running.process.pid).rlimit(psutil.RLIMIT_NOFILE, (USUAL_FILES, USUAL_FILES))
        found = json.loads((own / "daemon.json").read_text(encoding="utf-8"))
        headers = {"Authorization": f"Bearer {found['token']}", "X-Retake-Client": "hostile"}
        with httpx.Client(base_url=found["address"], headers=headers, trust_env=False, timeout=30) as http:
            made = Target(running, place, found["token"], http)
            if made.until_ready(60.0) is None:
                raise AssertionError(f"no worker is ready:\n{running.log()}")
            yield made
