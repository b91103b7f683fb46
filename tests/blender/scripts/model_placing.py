"""Takes onto the timeline, and what becomes of them there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from model import Model, facts, new_scene, show_sequencer, where


def main(arguments: dict[str, Any]) -> dict[str, Any]:
    model = Model()
    return globals()[arguments["case"]](model, arguments["samples"])


def fill(model: Model, samples: dict[str, Any]) -> dict[str, Any]:
    """A placeholder with handles, a locked and a muted channel above it."""
    scene = new_scene()
    show_sequencer(scene)
    strip = model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=101, frames=75)
    channels = scene.sequence_editor.channels
    channels[2].lock = True
    channels[4].mute = True
    placed = model.takes.fill(scene, facts(model, samples["handles"], line=strip.retake.line), name="presenter: Hello", frame=101, under=strip)
    picture, sound = placed.pictures[0], placed.sounds[0]
    line = model.lines.lines_of(scene)
    return {
        "picture": where(model, picture),
        "sound": where(model, sound),
        "names": [picture.name, sound.name],
        "colour": picture.colorspace_settings.name,
        "muted": strip.mute,
        "unconnected": picture.retake.unconnected,
        "lines": [(one.kind.name, one.state.name, one.takes, list(one.pictures), list(one.sounds)) for one in line],
        "fps": [scene.render.fps, scene.render.fps_base],
    }


def swap(model: Model, samples: dict[str, Any]) -> dict[str, Any]:
    """Another take into a clip that the editor has trimmed, cut, moved and made to look otherwise."""
    scene = new_scene()
    show_sequencer(scene)  # without one, Blender 5.0 ends when a modifier is added
    take = facts(model, samples["plain"], line="l1")
    placed = model.takes.fill(scene, take, name="one", frame=101)
    picture, sound = placed.pictures[0], placed.sounds[0]
    picture.transform.offset_x, picture.crop.min_x, picture.blend_alpha = 10.0, 3, 0.5
    picture.modifiers.new(name="Bright", type="BRIGHT_CONTRAST")
    sound.volume, sound.pan = 0.5, -0.25
    second = picture.split(frame=131, split_method="SOFT")
    sound.split(frame=131, split_method="SOFT")
    model.compat.show(picture, 106, 131)
    later = model.lines.strips_of_line(scene, "l1", "SOUND")[1]
    for strip in (second, later):
        model.compat.move_by(strip, 10)
    before = [where(model, strip) for strip in model.lines.strips_of_line(scene, "l1", "PICTURE")]
    other = facts(model, samples["handles"], line="l1", seed=4)
    shown = model.takes.show(scene, other)
    pictures, sounds = model.lines.strips_of_line(scene, "l1", "PICTURE"), model.lines.strips_of_line(scene, "l1", "SOUND")
    return {
        "before": before,
        "after": [where(model, strip) for strip in pictures],
        "files": sorted({Path(strip.filepath).name for strip in pictures} | {Path(strip.sound.filepath).name for strip in sounds}),
        "look": [picture.transform.offset_x, picture.crop.min_x, picture.blend_alpha, len(picture.modifiers), sound.volume, sound.pan],
        "takes": [[entry.id for entry in strip.retake.takes] for strip in pictures],
        "active": [strip.retake.take for strip in (*pictures, *sounds)],
        "said": shown.said,
        "sounds_left": len(bpy.data.sounds),
    }


def switching(model: Model, samples: dict[str, Any]) -> dict[str, Any]:
    """Takes are switched, locked, compared and missed."""
    scene = new_scene()
    one, two = facts(model, samples["plain"], line="l1"), facts(model, samples["handles"], line="l1", seed=1)
    placed = model.takes.fill(scene, one, name="one", frame=11)
    picture = placed.pictures[0]
    model.takes.show(scene, two)
    out: dict[str, Any] = {"two": [picture.retake.take, where(model, picture)]}
    model.takes.switch(scene, placed.sounds[0], one.id)
    out["one"] = [picture.retake.take, where(model, picture)]
    compared = model.takes.compare(scene, picture, two.id)
    out["compare"] = [where(model, compared.pictures[0]), compared.pictures[0].crop.min_x, compared.sounds[0].mute]
    out["lines_while_comparing"] = len(model.lines.lines_of(scene))
    out["ended"] = model.takes.end_compare(scene)
    model.takes.lock(scene, picture, True)
    out["locked"] = refused(model, lambda: model.takes.switch(scene, picture, two.id))
    out["state"] = model.lines.lines_of(scene)[0].state.name
    model.takes.lock(scene, picture, False)
    out["unknown"] = refused(model, lambda: model.takes.switch(scene, picture, "nothing"))
    path = Path(two.path)
    path.rename(path.with_suffix(".away"))
    out["gone"] = refused(model, lambda: model.takes.switch(scene, picture, two.id))
    out["still"] = [picture.retake.take, where(model, picture)]
    path.with_suffix(".away").rename(path)
    model.takes.switch(scene, picture, two.id)
    path.rename(path.with_suffix(".away"))
    out["missing"] = [(name, take, Path(file).name) for name, take, file in model.takes.missing(scene)]
    path.with_suffix(".away").rename(path)
    model.takes.configure_folder(lambda: str(Path(one.path).parent / "collected"))
    done = model.keeping.copy_all(model.keeping.wanted())
    model.keeping.apply(done.places)
    out["collected"] = [
        done.said,
        sorted(Path(entry.path).parent.name for entry in picture.retake.takes),
        Path(picture.filepath).parent.name,
        Path(placed.sounds[0].sound.filepath).parent.name,
        where(model, picture),
    ]
    out["own"] = model.takes.make_own(scene, picture) != "l1"
    return out


def refused(model: Model, call: Any) -> list[str]:
    try:
        call()
    except model.placing.PlacingError as error:
        return [error.cause, error.remedy]
    return []


def hopeless(model: Model, samples: dict[str, Any]) -> dict[str, Any]:
    """Files that are not there, are no movies, and no room: refused in words, nothing changed."""
    scene = new_scene()
    broken = Path(samples["plain"]["path"]).with_name("broken.mp4")
    broken.write_bytes(b"this is no movie" * 100)
    empty = broken.with_name("empty.mp4")
    empty.touch()
    out: dict[str, Any] = {}
    for path in (broken, empty, broken.with_name("absent.mp4")):
        out[path.stem] = refused(model, lambda path=path: model.placing.place(scene, str(path), name="x", frame=1, frames=50, handles=0))
    for channel in scene.sequence_editor.channels:
        channel.lock = True
    out["full"] = refused(model, lambda: model.placing.place(scene, samples["plain"]["path"], name="x", frame=1, frames=50, handles=0))
    out["strips"] = len(scene.sequence_editor.strips)
    return out


def ripple(model: Model, samples: dict[str, Any]) -> dict[str, Any]:
    """The clip gets the take's length, and everything behind it moves, or is said not to."""
    scene = new_scene()
    holder = model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=1, frames=50)
    behind = model.adding.add_placeholder(scene, "presenter", "Next.", frame=51, frames=25)
    music = model.compat.new_effect(scene.sequence_editor, "COLOR", "music", channel=8, start=1, length=200)
    fixed = model.compat.new_effect(scene.sequence_editor, "COLOR", "fixed", channel=9, start=60, length=10)
    fixed.lock = True
    row = [model.compat.new_effect(scene.sequence_editor, "COLOR", f"row {start}", channel=10, start=start, length=10) for start in (51, 61, 71)]
    scene.timeline_markers.new("here", frame=20)
    scene.timeline_markers.new("later", frame=60)
    placed = model.takes.fill(scene, facts(model, samples["plain"], line=holder.retake.line), name="one", frame=1, under=holder, conform="RIPPLE")
    return {
        "picture": where(model, placed.pictures[0]),
        "holder": where(model, holder)[:3],
        "behind": where(model, behind)[:3],
        "others": [where(model, music)[:3], where(model, fixed)[:3]],
        "row": [where(model, strip)[:3] for strip in row],
        "markers": {marker.name: marker.frame for marker in scene.timeline_markers},
        "said": placed.said,
    }


def in_meta(model: Model, samples: dict[str, Any]) -> dict[str, Any]:
    """A placeholder within a meta strip gets its take within it."""
    scene = new_scene()
    meta = scene.sequence_editor.strips.new_meta(name="scene 1", channel=3, frame_start=1)
    holder = model.adding.add_placeholder(scene, "presenter", "Hello everyone.", frame=31, frames=75)
    holder.move_to_meta(meta)
    placed = model.takes.fill(scene, facts(model, samples["plain"], line=holder.retake.line), name="one", frame=31, under=holder)
    return {
        "picture": where(model, placed.pictures[0]),
        "top": [strip.name for strip in scene.sequence_editor.strips],
        "inside": sorted(strip.name for strip in meta.strips),
        "state": [line.state.name for line in model.lines.lines_of(scene)],
    }


def proxies(model: Model, samples: dict[str, Any]) -> dict[str, Any]:
    """New takes have proxies as the movies beside them."""
    scene = new_scene()
    other = model.compat.new_movie(scene.sequence_editor, "other", samples["plain"]["path"], channel=1, start=1)
    other.use_proxy = True
    other.proxy.build_25, other.proxy.build_50, other.proxy.quality = False, True, 70
    placed = model.placing.place(scene, samples["plain"]["path"], name="take", frame=101, frames=75, handles=0)
    picture = placed.pictures[0]
    return {"use": picture.use_proxy, "sizes": [picture.proxy.build_25, picture.proxy.build_50], "quality": picture.proxy.quality}


def render(model: Model, samples: dict[str, Any]) -> dict[str, Any]:
    """Takes at the exact frames, with and without handles, rendered by Blender to an mp4."""
    made = samples["rendered"]
    scene = new_scene(made["fps"], made["base"])
    scene.view_settings.view_transform = "Standard"
    for number, (key, frame) in enumerate(made["places"]):
        sample = samples[key]
        take = facts(model, sample, line=f"l{number}")
        model.takes.fill(scene, take, name=key, frame=frame)
    scene.frame_start, scene.frame_end = 1, made["frames"]
    model.compat.movie_output(scene, made["path"])
    scene.render.ffmpeg.audio_mixrate = 48000
    bpy.ops.render.render(animation=True)
    return {"rate": str(model.rates.exact_rate(scene.render.fps, scene.render.fps_base))}
