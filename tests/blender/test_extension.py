"""The zip in real Blender: installed, enabled, disabled, and nothing left of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from host import Blender

MODULE = "bl_ext.user_default.retake"


def test_the_zip_installs_by_blenders_own_operator(fresh: Blender, zip_file: Path) -> None:
    answer = fresh.run("install", zip=str(zip_file), seconds=90)
    assert answer["operator"] == ["FINISHED"]
    assert answer["enabled"]
    assert MODULE in answer["addons"]
    assert list(fresh.resources.glob("extensions/.local/lib/python3.11/site-packages/opentimelineio")), "the wheels were not unpacked"


def test_the_zip_goes_over_an_earlier_one(blender: Callable[..., Blender], zip_file: Path) -> None:
    answer = blender().run("install", zip=str(zip_file), seconds=90)
    assert (answer["operator"], answer["enabled"]) == (["FINISHED"], True)


def test_enabling_and_disabling_leaves_nothing(blender: Callable[..., Blender]) -> None:
    answer = blender().run("lifecycle", what="cycle")
    nothing = {"classes": [], "operators": [], "properties": [], "handlers": [], "threads": []}
    assert answer["bare"] == nothing
    for one in answer["rounds"]:
        assert one["disabled"] == nothing
        assert one["enabled"]["properties"] == ["Scene.retake", "Strip.retake", "WindowManager.retake"]
        assert len(one["enabled"]["operators"]) > 20
        assert one["enabled"] == answer["rounds"][0]["enabled"]


def test_preferences_survive_and_the_token_stays_out_of_the_file(blender: Callable[..., Blender], tmp_path: Path) -> None:
    user = blender()
    token = "a-token-that-nobody-must-see"
    values = {"source": "ADDRESS", "address": "http://127.0.0.1:9", "token_source": "TYPED", "token": token, "handles": 7, "conform": "KEEP"}
    blend = tmp_path / "saved.blend"
    first = user.run("lifecycle", what="preferences", values=values, write=True, blend=str(blend))
    assert first["before"] != values
    assert user.run("lifecycle", what="preferences", values=values, write=False)["before"] == values
    assert token.encode() not in blend.read_bytes()


def test_operators_say_what_they_do(installed: Blender) -> None:
    found = installed.run("lifecycle", what="operators")
    assert len(found) > 20
    for name, told in found.items():
        assert re.fullmatch(r"retake\.[a-z_]+", name)
        assert len(told["description"]) > 10, name
        assert not told["description"].endswith("."), f"{name}: Blender's descriptions have no full stop at the end"
        assert told["label"] == told["label"].title().replace(" At ", " at ").replace(" To ", " to ").replace(" As ", " as "), name
        assert told["options"] in (["UNDO"], ["REGISTER", "UNDO"], ["INTERNAL"]), name
    for name in ("retake.cancel_all", "retake.forget_take"):
        assert found[name]["invoke"], f"{name} deletes something and asks nobody"
