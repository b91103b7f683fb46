"""docs/daemon.md says what is true: the settings, the commands, the connection file."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from pydantic import BaseModel
from typer.main import get_command

from retake import connection, daemon_log, http_server
from retake.cli import app
from retake.settings import Settings

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "daemon.md").read_text(encoding="utf-8")


def settings_rows(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """One row for each setting, as it is to stand in the page; what has no description in the model may have one there."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        several = typing.get_origin(inner) is tuple and [
            part for part in typing.get_args(inner) if isinstance(part, type) and issubclass(part, BaseModel)
        ]
        if several:
            yield f"| `{prefix}{name}` |  | "
            yield from settings_rows(several[0], f"{prefix}{name}[].")
        elif isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from settings_rows(inner, f"{prefix}{name}.")
        else:
            default = "" if field.is_required() or field.default in ("", (), None) else str(field.default)
            yield f"| `{prefix}{name}` | {default} | " + (f"{field.description} |" if field.description else "")


def test_every_setting_stands_there() -> None:
    rows = list(settings_rows(Settings))
    assert len(rows) >= 30
    missing = [row for row in rows if row not in PAGE]
    assert not missing, "the table should have:\n" + "\n".join(rows)
    assert len(re.findall(r"^\| `[a-z_.\[\]]+` \|", PAGE, re.MULTILINE)) == len(rows), "the table has settings that do not exist:\n" + "\n".join(rows)


def test_every_command_and_option_exists() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    named = {(command, option) for command, rest in re.findall(r"retake ([a-z]+)((?: [^`\n]*)?)", PAGE) for option in re.findall(r"--[a-z-]+", rest)}
    assert ("serve", "--install") in named
    for command, option in named:
        known = {text for parameter in commands[command].params for text in parameter.opts}
        assert option in known, f"retake {command} {option}"
    assert {command for command, _ in re.findall(r"`retake ([a-z]+)( [^`]*)?`", PAGE)} <= set(commands)


def test_the_connection_file_is_described() -> None:
    for field in fields(connection.ConnectionRecord):
        assert f'"{field.name}"' in PAGE
    for name in (connection.CONNECTION_FILE, connection.TOKEN_FILE, connection.LOCK_FILE, daemon_log.LOG_FILE):
        assert f"`{name}`" in PAGE or f"/{name}`" in PAGE


def test_the_limits_are_those_of_the_server() -> None:
    for text in (
        f"{http_server.HEADER_BYTES // 1024} KiB",
        f"within {http_server.HEADER_SECONDS:.0f} s",
        f"{http_server.STALL_SECONDS:.0f} s without a byte",
        f"{http_server.CONNECTIONS} connections",
        f"{daemon_log.LARGEST_BYTES // 1_000_000} MB",
    ):
        assert text in PAGE, text
