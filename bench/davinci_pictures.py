"""The pictures of docs/davinci.md: what the scripts put onto the timeline of the tests' double of Resolve, with real takes, and the way by files.

    python bench/davinci_pictures.py docs/images

needs an enrolled speaker `presenter` in Retake's folder (`retake demo` leaves one) and takes half a minute.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

RATE = "25"
GREY, BLUE, GREEN, TEAL = "#8a8f98", "#3b73c4", "#3f8f5f", "#2a9d8f"


def fill() -> tuple[Any, list[tuple[int, int, str]], list[tuple[str, str, str]]]:
    """Fill a timeline of the double; returns its stage, the markers (start, frames, text) and the list as the window shows it."""
    from resolve.double import stage

    from retake_davinci import bridge
    from retake_davinci.presenter import Presenter, open_session
    from retake_davinci.settings import Settings

    on = stage(RATE)
    on.timeline.put("video", 1, 0, 280, name="Interview A")
    on.timeline.put("audio", 1, 0, 280, name="Interview A")
    markers = [(30, 55, "We ship on Friday."), (130, 50, "Thank you all."), (215, 1, "See you soon.")]
    for start, frames, text in markers:
        on.timeline.AddMarker(start, "Blue", "@presenter", text, frames, "")
    settings = Settings(width=320, height=320)
    session = open_session(settings)
    try:
        presenter = Presenter(bridge.connect(on.resolve), session, settings)
        presenter.wait_for_connection(30)
        presenter.fill()
        while presenter.busy:
            presenter.step()
            time.sleep(0.1)
        assert presenter.report is not None and not presenter.report.failed, presenter.report
        rows = [(row.timecode, f"@{row.speaker}: {row.text}", row.state.value) for row in presenter.rows()]
    finally:
        session.close()
    return on, markers, rows


def draw_timeline(target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    from retake.media.reader import read_frames

    on, markers, rows = fill()
    figure, (before, after) = plt.subplots(2, 1, figsize=(10, 5.2), height_ratios=(2.2, 4))
    for axes, title, shown in ((before, "before: three markers", 1), (after, "after: takes on tracks called Retake, linked with their sound", 2)):
        tracks = [("audio", number, track) for number, track in enumerate(on.timeline.tracks["audio"][:shown], 1)][::-1]
        tracks += [("video", number, track) for number, track in enumerate(on.timeline.tracks["video"][:shown], 1)]
        for row, (kind, number, track) in enumerate(tracks):
            axes.text(-3, row + 0.5, f"{kind[0].upper()}{number} {track.name}", ha="right", va="center", fontsize=8)
            for item in track.items:
                start = item.start - on.timeline.first
                ours = track.name.startswith("Retake")
                colour = (TEAL if kind == "video" else GREEN) if ours else GREY
                axes.add_patch(Rectangle((start, row + 0.06), item.frames, 0.88, facecolor=colour, edgecolor="white", alpha=0.9))
                if ours and kind == "video" and item.media is not None:
                    frame = next(iter(read_frames(Path(item.media.path), max_side=160)))
                    axes.imshow(frame, extent=(start, start + 11, row + 0.06, row + 0.94), aspect="auto", zorder=3)
                label = f"{item.frames} frames" if ours else item.GetName()
                axes.text(start + (14 if ours and kind == "video" else 3), row + 0.5, label, color="white", va="center", fontsize=8)
        top = len(tracks)
        for start, frames, text in markers:
            axes.add_patch(Rectangle((start, top + 0.15), max(frames, 2), 0.22, facecolor=BLUE))
            axes.text(start, top + 0.45, f"@presenter  {text}", fontsize=8, color=BLUE)
        axes.set(xlim=(0, 285), ylim=(0, top + 1), yticks=[], title=title)
        ticks = range(0, 285, 50)
        axes.set_xticks(ticks, [f"01:00:{tick // 25:02d}:00" for tick in ticks], fontsize=7)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    figure.tight_layout()
    figure.savefig(target, dpi=90)
    print("\n".join("  ".join(row) for row in rows))


def draw_files(target: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    boxes = [
        ("1  In Resolve", "File > Export > Timeline...\nFCP 7 XML (or .otio)\n\nor write the script:\ntalk.retake.md"),
        ("2  To Retake", "retake fill cut.xml\n       -o filled.xml\n\nor drop the .otio into the\nwatch folder"),
        ("3  Retake makes", "takes/ID/take.mp4, each of\nthe frames of its slot\n\nfilled.xml / filled.otio\nwith their absolute paths"),
        ("4  In Resolve", "File > Import > Timeline...\nchoose filled.xml\n\nanother name for the timeline\nif it asks; clips relink"),
    ]
    figure, axes = plt.subplots(figsize=(10, 2.0))
    for index, (title, text) in enumerate(boxes):
        left = index * 2.5
        axes.add_patch(plt.Rectangle((left, 0.2), 2.1, 1.8, facecolor="#f3f5f8", edgecolor=BLUE, linewidth=1.2))
        axes.text(left + 0.1, 1.72, title, fontsize=10, weight="bold", color=BLUE)
        axes.text(left + 0.1, 1.5, text, fontsize=8.2, va="top", linespacing=1.35)
        if index < 3:
            axes.annotate("", xy=(left + 2.47, 1), xytext=(left + 2.13, 1), arrowprops={"arrowstyle": "->", "color": BLUE, "lw": 1.6})
    axes.set(xlim=(-0.05, 9.7), ylim=(-0.05, 2.1))
    axes.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(target, dpi=90)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    draw_timeline(folder / "davinci-timeline.png")
    draw_files(folder / "davinci-files.png")


if __name__ == "__main__":
    main()
