"""Orders that were taken back while the daemon was away: written down, so that it learns of them also if the program ends before it is back."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MOST = 500
FORGOTTEN_SECONDS = 30 * 24 * 3600.0  # by then the take was made for nobody, and does no harm


class Withdrawals:
    """What is to be taken back, by idempotency key; safe for threads. A file that cannot be read or written counts as empty: the daemon renders more
    than is wanted then, and nothing is lost.

    Args:
        home: Retake's folder on this machine; made when there is something to be written.
        name: of the program, as the daemon knows it.
        address: of the daemon; what was ordered at one is not taken back at another.
    """

    def __init__(self, home: str | os.PathLike[str], name: str, address: str) -> None:
        self._home = Path(home)
        digest = hashlib.sha256(f"{name}\n{address}".encode("utf-8", "replace")).hexdigest()[:16]
        self.path = self._home / "client" / f"withdrawn-{digest}.json"
        self._lock = threading.Lock()
        self._own: set[str] | None = None  # keys that may be in the file; None: not looked at yet

    def load(self) -> dict[str, str]:
        """The jobs' ids ("" where none is known) by key, oldest first."""
        with self._lock:
            found = self._read()
            self._own = set(found)
            return {key: str(entry["job"]) for key, entry in found.items()}

    def add(self, key: str, job_id: str) -> None:
        with self._lock:
            found = self._read()
            if key in found and found[key]["job"] == job_id:
                return
            found[key] = {"job": job_id, "at": time.time()}
            self._own = set(found)
            self._write(found)

    def remove(self, key: str) -> None:
        """The daemon knows, or the order is wanted again."""
        with self._lock:
            if self._own is not None and key not in self._own:
                return
            found = self._read()
            self._own = set(found) - {key}
            if found.pop(key, None) is not None:
                self._write(found)

    def _read(self) -> dict[str, dict[str, Any]]:
        """Read each time, since another program of the same name may have written."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            entries: Mapping[str, Any] = content["withdrawn"]
            pairs = {str(key): {"job": str(entry["job"]), "at": float(entry["at"])} for key, entry in entries.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}
        since = time.time() - FORGOTTEN_SECONDS
        return {key: entry for key, entry in pairs.items() if entry["at"] > since}

    def _write(self, found: Mapping[str, Mapping[str, Any]]) -> None:
        newest = sorted(found.items(), key=lambda pair: pair[1]["at"])[-MOST:]
        part = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):
            if not newest:
                self.path.unlink()
                return
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                part.write_text(json.dumps({"format": 1, "withdrawn": dict(newest)}, sort_keys=True), encoding="utf-8")
                part.replace(self.path)
            finally:
                with contextlib.suppress(OSError):
                    part.unlink()
