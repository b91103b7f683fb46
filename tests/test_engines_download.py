"""Fetching large files: from a server of this machine that cuts, stalls, changes and refuses."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from retake.domain.errors import Cancelled, ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.engines.download import Wanted, fetch

CONTENT = random.Random(5).randbytes(600_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Source:
    """A server of one file, and how it behaves."""

    content: bytes = CONTENT
    tag: str = '"one"'
    ranges: bool = True
    lengths: bool = True
    statuses: list[int] = field(default_factory=list)  # answers of the first requests, where they are errors
    cut: list[int] = field(default_factory=list)  # bytes that the next answers hold before the connection ends
    stall: list[int] = field(default_factory=list)  # the same before nothing comes any more
    asked: list[str] = field(default_factory=list)  # the Range of each request
    release: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@pytest.fixture
def source() -> Iterator[Source]:
    state = Source()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            state.asked.append(wanted)
            if state.statuses:
                self.send_error(state.statuses.pop(0))
                return
            start = 0
            if wanted and state.ranges and self.headers.get("If-Range", state.tag) == state.tag:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(state.content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(state.content) - 1}/{len(state.content)}")
            else:
                self.send_response(200)
            body = state.content[start:]
            if state.lengths:
                self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", state.tag)
            self.end_headers()
            if state.stall:
                self.wfile.write(body[: state.stall.pop(0)])
                self.wfile.flush()
                state.release.wait(20)
                return
            self.wfile.write(body[: state.cut.pop(0)] if state.cut else body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}/weights.bin"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield state
    state.release.set()
    server.shutdown()
    thread.join()
    server.server_close()


def get(
    source: Source, target: Path, *, size: int = len(CONTENT), sha256: str = SHA256, stall: float = 10.0, progress: Progress | None = None
) -> None:
    found = fetch(Wanted(source.url, size, sha256), target, progress or Progress(), stall=stall, first_pause=0.01)
    assert (found.size, found.sha256) == (len(source.content), hashlib.sha256(source.content).hexdigest())
    assert target.read_bytes() == source.content
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_comes_whole_and_tells_how_far_it_is(source: Source, tmp_path: Path) -> None:
    told: list[tuple[float, str]] = []
    get(source, tmp_path / "deep" / "weights.bin", progress=Progress(lambda stage, fraction, detail: told.append((fraction, detail))))
    assert told[-1][0] == 1.0
    assert any("of 0.6 MB" in detail and "left" in detail for _, detail in told)


def test_goes_on_after_every_cut(source: Source, tmp_path: Path) -> None:
    source.cut = [100_000, 100_000, 0, 150_000]
    get(source, tmp_path / "weights.bin")
    assert source.asked == ["", "bytes=100000-", "bytes=200000-", "bytes=200000-", "bytes=350000-"]


def test_goes_on_where_an_earlier_run_was_stopped(source: Source, tmp_path: Path) -> None:
    source.stall = [240_000]
    progress = Progress()
    stopper = threading.Timer(0.5, progress.cancel)
    stopper.start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        get(source, tmp_path / "weights.bin", stall=1.0, progress=progress)
    assert time.monotonic() - begun < 3
    assert not (tmp_path / "weights.bin").exists()
    assert (tmp_path / "weights.bin.part").stat().st_size == 240_000
    get(source, tmp_path / "weights.bin")
    assert source.asked == ["", "bytes=240000-"]


def test_a_stalled_connection_is_given_up_and_tried_anew(source: Source, tmp_path: Path) -> None:
    source.stall = [300_000]
    get(source, tmp_path / "weights.bin", stall=0.4)
    assert source.asked == ["", "bytes=300000-"]


def test_busy_servers_are_asked_again(source: Source, tmp_path: Path) -> None:
    source.statuses = [503, 429, 500]
    get(source, tmp_path / "weights.bin")
    assert len(source.asked) == 4


def test_a_file_that_changed_meanwhile_comes_whole(source: Source, tmp_path: Path) -> None:
    source.cut = [100_000]

    def change(stage: str, fraction: float, detail: str) -> None:
        source.tag, source.content = '"two"', CONTENT[::-1]

    get(source, tmp_path / "weights.bin", sha256="", progress=Progress(change))
    assert source.asked == ["", "bytes=100000-"]


def test_servers_without_ranges_and_lengths(source: Source, tmp_path: Path) -> None:
    source.ranges, source.lengths, source.cut = False, False, [50_000]
    get(source, tmp_path / "weights.bin")
    assert len(source.asked) == 2


def test_what_is_not_known_beforehand_is_told(source: Source, tmp_path: Path) -> None:
    get(source, tmp_path / "weights.bin", size=0, sha256="")


def test_another_file_is_not_kept(source: Source, tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        get(source, tmp_path / "weights.bin", sha256="0" * 64)
    assert caught.value.code == "download_mismatch" and SHA256[:12] in caught.value.cause
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_size_is_not_even_begun(source: Source, tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        get(source, tmp_path / "weights.bin", size=len(CONTENT) + 1)
    assert caught.value.code == "download_mismatch" and not (tmp_path / "weights.bin").exists()


@pytest.mark.parametrize(("status", "word"), [(404, "--from"), (401, "agree"), (403, "agree")])
def test_refusals_are_not_tried_again(source: Source, tmp_path: Path, status: int, word: str) -> None:
    source.statuses = [status] * 9
    with pytest.raises(RetakeError) as caught:
        get(source, tmp_path / "weights.bin")
    assert caught.value.code == "download_failed" and word in caught.value.remedy and len(source.asked) == 1


def test_gives_up_after_several_attempts_without_a_byte(source: Source, tmp_path: Path) -> None:
    source.cut = [100_000, *[0] * 20]
    with pytest.raises(RetakeError) as caught:
        get(source, tmp_path / "weights.bin")
    assert caught.value.code == "download_failed" and caught.value.kind is ErrorKind.ENVIRONMENT
    assert len(source.asked) == 1 + 5
    assert (tmp_path / "weights.bin.part").stat().st_size == 100_000


def test_nobody_listens(tmp_path: Path) -> None:
    with pytest.raises(RetakeError) as caught:
        fetch(Wanted("http://127.0.0.1:9/x", 1), tmp_path / "x", Progress(), first_pause=0.01)
    assert caught.value.code == "download_failed"


def test_a_full_disk_is_noticed_before(source: Source, tmp_path: Path) -> None:
    source.lengths = False
    with pytest.raises(RetakeError) as caught:
        get(source, tmp_path / "weights.bin", size=10**15, sha256="")
    assert caught.value.code == "disk_full"


def test_a_disk_that_becomes_full(source: Source, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="file size limits are Unix'")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(RetakeError) as caught:
            get(source, tmp_path / "weights.bin")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.code == "disk_full"
    get(source, tmp_path / "weights.bin")
    assert source.asked[-1] == "bytes=300000-"
