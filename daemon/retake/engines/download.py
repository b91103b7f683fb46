"""Large files from far away: gone on with where it stopped, tried again, given up when nothing comes, checked, there when complete."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from retake.domain.errors import ErrorKind, RetakeError
from retake.domain.progress import Progress
from retake.media.files import check_space, explain_os_error, sync_folder

ATTEMPTS = 6  # in a row without a byte of progress
STALL_SECONDS = 30.0  # without a byte, after which the connection is given up and tried anew
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # s between attempts
MARGIN = 100_000_000  # bytes of disk that are left alone
_PIECE = 256 * 1024
_PASSING = frozenset([408, 425, 429, 500, 502, 503, 504])


@dataclass(frozen=True)
class Wanted:
    """A file to fetch. size 0, sha256 "": not known beforehand."""

    url: str
    size: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Fetched:
    """What came."""

    size: int
    sha256: str


class _Passing(Exception):
    """Trying again may help."""


def fetch(
    wanted: Wanted,
    target: Path,
    progress: Progress,
    *,
    stall: float = STALL_SECONDS,
    first_pause: float = FIRST_PAUSE,
) -> Fetched:
    """Fetch a file to `target`; what came of it before an interruption lies beside it as NAME.part and is gone on with.

    Progress: the fraction, where the size is known, and "12.3 of 400.0 MB, 8.1 MB/s, 0:48 left".

    Raises:
        RetakeError: download_failed, download_mismatch (the file was removed), disk_full, not_writable. Cancelled keeps what has come.
    """
    part = target.with_name(target.name + ".part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        fetching = _Fetching(wanted, part, progress, stall)
        failures, last = 0, ""
        while True:
            before = fetching.have
            try:
                fetching.attempt()
                break
            except (_Passing, urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
                last = _brief(error)
            failures = 1 if fetching.have > before else failures + 1
            if failures >= ATTEMPTS:
                raise _failed(wanted, last, fetching.have)
            _pause(min(LONGEST_PAUSE, first_pause * 2 ** (failures - 1)), progress)
        return _settle(wanted, part, target, fetching, progress)
    except OSError as error:
        raise explain_os_error(error, target) from error


class _Fetching:
    """One file while it comes."""

    def __init__(self, wanted: Wanted, part: Path, progress: Progress, stall: float) -> None:
        self.wanted = wanted
        self.part = part
        self.note = part.with_name(part.name + ".json")
        self.progress = progress
        self.stall = stall
        self.total = wanted.size
        self.tag = ""
        self.digest = hashlib.sha256()
        self.have = 0
        self._resume()

    def _resume(self) -> None:
        """Take up what an earlier run left, if it is of the same address."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            same = note["url"] == self.wanted.url and (not self.total or not note["total"] or note["total"] == self.total)
            self.tag, self.total = str(note["tag"]), self.total or int(note["total"])
        except (OSError, ValueError, KeyError, TypeError):
            same = False
        if not same or not self.part.is_file():
            self.tag, self.total = "", self.wanted.size
            self.part.unlink(missing_ok=True)
            return
        with self.part.open("rb") as file:
            while piece := file.read(1 << 20):
                self.digest.update(piece)
                self.have += len(piece)
                self.progress.check()

    def attempt(self) -> None:
        """Fetch what is missing. Raises what a connection raises, or _Passing; returns when everything is there."""
        if self.total and self.have == self.total:
            return
        headers = {"User-Agent": "retake", "Accept-Encoding": "identity"}
        if self.have:
            headers["Range"] = f"bytes={self.have}-"
            if self.tag:
                headers["If-Range"] = self.tag  # a file that changed meanwhile comes whole
        try:
            # A manifest allows https, and http to this machine itself.
            response: Any = urllib.request.urlopen(urllib.request.Request(self.wanted.url, headers=headers), timeout=self.stall)
        except urllib.error.HTTPError as error:
            if error.code == 416:  # what we have is no beginning of what is there now
                self._start_over()
                raise _Passing("the file has changed") from error
            if error.code in _PASSING:
                raise _Passing(f"HTTP {error.code}") from error
            raise _refused(self.wanted, error.code) from error
        with contextlib.closing(response):
            self._expect(response)
            self._receive(response)

    def _expect(self, response: Any) -> None:
        if self.have and response.status != 206:
            self._start_over()
        if response.status == 206:
            unit = str(response.headers.get("Content-Range", ""))
            if not unit.startswith(f"bytes {self.have}-"):
                self._start_over()
                raise _Passing("the server sent another part than was asked for")
            whole = unit.rpartition("/")[2]
            total = int(whole) if whole.isdigit() else 0
        else:
            length = str(response.headers.get("Content-Length", ""))
            total = int(length) if length.isdigit() else 0
        if self.wanted.size and total and total != self.wanted.size:
            cause = f"{self.wanted.url} has {total:,} bytes now, and {self.wanted.size:,} are expected."
            raise RetakeError(cause, "Get the file elsewhere and use --from.", kind=ErrorKind.ENVIRONMENT, code="download_mismatch")
        self.total = self.wanted.size or total
        tag = str(response.headers.get("ETag", ""))
        self.tag = "" if tag.startswith("W/") else tag  # a weak one promises nothing about bytes
        if self.total:
            check_space(self.part.parent, self.total - self.have + MARGIN)
        self.note.write_text(json.dumps({"url": self.wanted.url, "tag": self.tag, "total": self.total}), encoding="utf-8")

    def _receive(self, response: Any) -> None:
        started, at_start, told = time.monotonic(), self.have, 0.0
        with self.part.open("ab") as file:
            while True:
                self.progress.check()
                piece = response.read1(_PIECE)
                if not piece:
                    break
                file.write(piece)
                self.digest.update(piece)
                self.have += len(piece)
                if self.total and self.have > self.total:
                    break
                now = time.monotonic()
                if now - told > 0.2:
                    told = now
                    rate = (self.have - at_start) / max(now - started, 1e-3)
                    self.progress.report(self.have / self.total if self.total else 0.0, _words(self.have, self.total, rate))
            file.flush()
            os.fsync(file.fileno())
        if self.total and self.have < self.total:
            raise _Passing("the connection ended early")
        if self.total and self.have > self.total:
            self._start_over()
            raise _Passing("more came than was announced")

    def _start_over(self) -> None:
        self.part.unlink(missing_ok=True)
        self.digest, self.have = hashlib.sha256(), 0


def _settle(wanted: Wanted, part: Path, target: Path, fetching: _Fetching, progress: Progress) -> Fetched:
    found = fetching.digest.hexdigest()
    fetching.note.unlink(missing_ok=True)
    if wanted.sha256 and found != wanted.sha256:
        part.unlink(missing_ok=True)
        raise mismatch(target.name, wanted.sha256, found)
    progress.report(1.0)
    part.replace(target)
    sync_folder(target.parent)
    return Fetched(fetching.have, found)


def mismatch(name: str, expected: str, found: str) -> RetakeError:
    """A file that is not the one that was asked for, and was not kept."""
    cause = f"{name} is not the expected file: its SHA-256 starts with {found[:12]}, not {expected[:12]}. It was not kept."
    remedy = "Try again later or get the file elsewhere; if this stays so, do not trust the source."
    return RetakeError(cause, remedy, kind=ErrorKind.ENVIRONMENT, code="download_mismatch")


def _refused(wanted: Wanted, status: int) -> RetakeError:
    remedy = "Look whether the address still exists, or get the file elsewhere and use --from."
    if status in {401, 403}:
        remedy = "Its makers want you to agree to something on their page first. Do that there, get the file, and use --from with its folder."
    return RetakeError(f"{wanted.url} was refused (HTTP {status}).", remedy, kind=ErrorKind.ENVIRONMENT, code="download_failed")


def _failed(wanted: Wanted, reason: str, have: int) -> RetakeError:
    cause = f"{wanted.url} could not be fetched: {reason}, {ATTEMPTS} times in a row."
    remedy = f"Check the connection and run it again; the {have / 1e6:.0f} MB that came are kept." if have else "Check the connection, or use --from."
    return RetakeError(cause, remedy, kind=ErrorKind.ENVIRONMENT, code="download_failed")


def _pause(seconds: float, progress: Progress) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        progress.check()
        time.sleep(min(0.2, left))


def _words(have: int, total: int, rate: float) -> str:
    if not total:
        return f"{have / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s"
    left = round((total - have) / max(rate, 1.0))
    return f"{have / 1e6:.1f} of {total / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s, {left // 60}:{left % 60:02d} left"


def _brief(error: Exception) -> str:
    reason = getattr(error, "reason", None) or error
    if isinstance(reason, TimeoutError):
        return "nothing came any more"
    return " ".join(str(reason).split())[:200] or type(error).__name__
