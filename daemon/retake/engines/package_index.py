"""Where packages come from: what the user's pip is set up for, told to uv, which does not read pip's configuration."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

_ASK_SECONDS = 60.0
# pip's setting -> uv's variable; pip separates several values by spaces and lines, and so does uv, but for links.
_SAME = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "trusted-host": "UV_INSECURE_HOST"}


def uv_settings() -> dict[str, str]:
    """Variables that make uv look where pip would. What the user has set for uv already stays as it is."""
    settings = _pip_settings()
    out: dict[str, str] = {}
    for name, variable in _SAME.items():
        values = [value for value in settings.get(name, "").split() if _there(value)]
        if values:
            out[variable] = " ".join(values)
    if "UV_INDEX" in out:
        # pip takes the best version that any of the user's indexes has; uv by itself stops at the first index that knows the name, and a mirror
        # that holds some versions of a package would hide all others.
        out["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    links = [value for value in settings.get("find-links", "").split() if _there(value)]
    if links:
        out["UV_FIND_LINKS"] = ",".join(links)
    if settings.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        out["UV_NO_INDEX"] = "1"
    if settings.get("cert"):
        out["SSL_CERT_FILE"] = settings["cert"]
    if settings.get("proxy"):
        out |= {"HTTPS_PROXY": settings["proxy"], "HTTP_PROXY": settings["proxy"]}
    return {name: value for name, value in out.items() if name not in os.environ}


@lru_cache(maxsize=1)
def _pip_settings() -> dict[str, str]:
    """pip's own settings by name, later sources before earlier ones; nothing where pip is missing."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return {}
    out: dict[str, str] = {}
    for line in answer.stdout.splitlines():
        key, equals, value = line.partition("=")
        section, _, name = key.strip().rpartition(".")
        if not equals or section not in {"global", "install", ":env:"}:
            continue
        try:
            out[name] = str(ast.literal_eval(value))
        except (ValueError, SyntaxError):
            continue
    return out


def _there(place: str) -> bool:
    """False for a folder of this machine that does not exist: pip warns about it and goes on, uv would fail."""
    parts = urlsplit(place)
    if parts.scheme == "file":
        return Path(url2pathname(parts.path)).exists()
    return bool(parts.scheme and len(parts.scheme) > 1) or Path(place).expanduser().exists()
