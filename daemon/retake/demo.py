"""The built-in synthetic presenter: a face and a voice that are nobody's, so that everybody can try Retake at once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from retake import __version__
from retake.domain.progress import Progress
from retake.speakers import store

PRESENTER = "presenter"
CONSENT = (
    "Synthetic presenter: rendered for this project from CC0 geometry and a synthetic voice. It is nobody's likeness, so nobody's consent is needed. "
    "See assets/presenter/LICENCES.md."
)

Working = Callable[..., AbstractContextManager[Progress]]


def presenter_folder() -> Path:
    """Folder of the presenter's video, transcript and licences in the installed package."""
    return Path(__file__).parent / "assets" / "presenter"


def enrol_presenter(home: Path, working: Working, *, quiet: bool = False) -> Path:
    """Enrol the presenter unless this version did so already; returns the path of the quality report.

    Args:
        working: `retake.console.working`, or another context manager that yields a Progress for a named command.
    """
    report = store.speaker_folder(home, PRESENTER) / "report.html"
    if store.exists(home, PRESENTER) and store.load(home, PRESENTER).product_version == __version__:
        return report
    from retake.speakers.enrol import enrol

    folder = presenter_folder()
    transcript = (folder / "presenter.txt").read_text(encoding="utf-8")
    with working("enrol", home, quiet=quiet) as progress:
        return enrol(
            folder / "presenter.mp4", name=PRESENTER, transcript=transcript, consent=CONSENT, home=home, progress=progress, replace=True
        ).report
