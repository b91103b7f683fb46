"""Retake's window, where Resolve lets scripts have one (UIManager, Studio). A thin face of the presenter: fields, buttons, and a timer that steps.

UIManager has no published description: what is used of it here is what its examples show, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import EditorError
from .planning import State
from .presenter import Presenter

WINDOW = "RetakeWindow"
STEP_MILLISECONDS = 300
_HEADINGS = ("Timecode", "Speaker", "Text", "Frames", "State", "Takes")
_WIDTHS = (100, 90, 360, 60, 70, 50)


class Window:
    """The window.

    Args:
        ui: Fusion's UIManager.
        dispatcher: made by ``bmd.UIDispatcher(ui)``.
    """

    def __init__(self, presenter: Presenter, ui: Any, dispatcher: Any) -> None:
        self._presenter = presenter
        self._ui = ui
        self._dispatcher = dispatcher
        self._told = ""
        self._window = self._build()
        self._items: Mapping[str, Any] = self._window.GetItems()
        self._timer = ui.Timer({"ID": "Clock", "Interval": STEP_MILLISECONDS, "SingleShot": False})
        self._connect()

    def show(self) -> None:
        """Show it until the user closes it."""
        self.refresh()
        self._window.Show()
        self._timer.Start()
        self._dispatcher.RunLoop()
        self._timer.Stop()
        self._window.Hide()

    def refresh(self, *unused: Any) -> None:
        """Read the timeline again."""
        self._safely(self._list)

    def _build(self) -> Any:
        ui = self._ui
        return self._dispatcher.AddWindow(
            {"ID": WINDOW, "WindowTitle": "Retake", "Geometry": [200, 200, 800, 520]},
            [
                ui.VGroup(
                    [
                        ui.Label({"ID": "Status", "Text": "", "Weight": 0, "WordWrap": True}),
                        ui.Tree({"ID": "Lines", "Weight": 1, "SelectionMode": "ExtendedSelection"}),
                        ui.HGroup(
                            {"Weight": 0},
                            [
                                ui.Button({"ID": "Refresh", "Text": "Read timeline"}),
                                ui.Button({"ID": "Fill", "Text": "Fill all"}),
                                ui.Button({"ID": "FillChosen", "Text": "Fill selected"}),
                                ui.Button({"ID": "Generate", "Text": "Generate at playhead"}),
                                ui.Button({"ID": "Cancel", "Text": "Cancel"}),
                            ],
                        ),
                        ui.HGroup(
                            {"Weight": 0},
                            [
                                ui.Button({"ID": "Words", "Text": "Words of clip", "Weight": 0}),
                                ui.LineEdit({"ID": "Text", "PlaceholderText": "Words of the clip under the playhead", "Weight": 1}),
                                ui.Button({"ID": "Revise", "Text": "Revise line", "Weight": 0}),
                            ],
                        ),
                        ui.TextEdit({"ID": "Messages", "ReadOnly": True, "Weight": 1}),
                    ]
                )
            ],
        )

    def _connect(self) -> None:
        clicked = {
            "Refresh": self.refresh,
            "Fill": lambda event: self._safely(self._fill),
            "FillChosen": lambda event: self._safely(self._fill_chosen),
            "Generate": lambda event: self._safely(self._generate),
            "Cancel": lambda event: self._safely(self._cancel),
            "Words": lambda event: self._safely(self._words),
            "Revise": lambda event: self._safely(self._revise),
        }
        for name, call in clicked.items():
            self._window.On[name].Clicked = call
        self._window.On[WINDOW].Close = self._close
        self._dispatcher.On.Timeout = self._tick
        tree = self._items["Lines"]
        header = tree.NewItem()
        for column, heading in enumerate(_HEADINGS):
            header.Text[column] = heading
        tree.SetHeaderItem(header)
        tree.ColumnCount = len(_HEADINGS)
        for column, width in enumerate(_WIDTHS):
            tree.ColumnWidth[column] = width

    def _tick(self, event: Any = None) -> None:
        self._items["Status"].Text = self._presenter.status_line()
        was_busy = self._presenter.busy
        self._safely(self._presenter.step)
        if was_busy or self._presenter.busy:
            self._tell(self._presenter.progress_lines())
        if was_busy and not self._presenter.busy and self._presenter.report is not None:
            self._safely(self._list)
            self._tell(self._presenter.report.lines())  # last, so that it stays to be read
        self._items["Cancel"].Enabled = self._presenter.busy
        for name in ("Fill", "FillChosen", "Generate", "Revise"):
            self._items[name].Enabled = not self._presenter.busy

    def _list(self) -> None:
        tree = self._items["Lines"]
        tree.Clear()
        rows = self._presenter.rows()
        for row in rows:
            item = tree.NewItem()
            shown = (row.timecode, row.speaker, row.text, str(row.frames or ""), row.state.value, str(row.takes or ""))
            for column, value in enumerate(shown):
                item.Text[column] = value
            tree.AddTopLevelItem(item)
        if not rows:
            self._tell(["This timeline has no lines. Set a marker whose name is @speaker and whose note is the text; its length is the time to fit."])
        elif all(row.state is State.DONE for row in rows):
            self._tell([f"All {len(rows)} lines have their takes."])

    def _fill(self) -> None:
        self._presenter.fill()

    def _fill_chosen(self) -> None:
        tree = self._items["Lines"]
        wanted = {tuple(item.Text[column] for column in range(3)) for item in _values(tree.SelectedItems())}
        chosen = [row.line for row in self._presenter.rows() if (row.timecode, row.speaker, row.text) in wanted]
        if not chosen:
            raise EditorError("No line is selected.", "Select lines in the list.", "nothing_selected")
        self._presenter.fill(chosen)

    def _generate(self) -> None:
        self._presenter.generate_at_playhead()

    def _words(self) -> None:
        self._items["Text"].Text = str(self._presenter.clip_under_playhead().request.get("text", ""))

    def _revise(self) -> None:
        text = str(self._items["Text"].Text or "").strip()
        if not text:
            raise EditorError("There are no words.", "Write what the clip under the playhead should say.", "bad_text")
        self._presenter.revise(text)

    def _cancel(self) -> None:
        if self._presenter.batch is not None:
            self._presenter.batch.cancel()

    def _close(self, event: Any = None) -> None:
        if self._presenter.busy and self._presenter.batch is not None:
            self._presenter.batch.abandon()
        self._dispatcher.ExitLoop()

    def _safely(self, call: Callable[[], Any]) -> None:
        """What the user can mend is told in the window; the loop goes on."""
        try:
            call()
        except EditorError as error:
            self._tell([error.cause, f"-> {error.remedy}"])

    def _tell(self, lines: list[str]) -> None:
        text = "\n".join(lines)
        if text != self._told:
            self._told = text
            self._items["Messages"].PlainText = text


def _values(found: Any) -> list[Any]:
    """Selected items come as a dictionary numbered from 1, or as a list."""
    return list(found.values()) if isinstance(found, Mapping) else list(found or [])


def can_open(fusion: Any, bmd: Any) -> bool:
    """Whether this Resolve lets scripts have windows; asked of the Studio edition only."""
    return (
        fusion is not None and bmd is not None and getattr(fusion, "UIManager", None) is not None and getattr(bmd, "UIDispatcher", None) is not None
    )


def open_window(presenter: Presenter, fusion: Any, bmd: Any) -> None:
    ui = fusion.UIManager
    Window(presenter, ui, bmd.UIDispatcher(ui)).show()


def ask(fusion: Any, bmd: Any, title: str, text: str) -> str:
    """A small window with one field; returns what was written, "" if it was closed."""
    ui = fusion.UIManager
    dispatcher = bmd.UIDispatcher(ui)
    answer: list[str] = []
    small = dispatcher.AddWindow(
        {"ID": "RetakeQuestion", "WindowTitle": f"Retake - {title}", "Geometry": [300, 300, 560, 120]},
        [
            ui.VGroup(
                [
                    ui.LineEdit({"ID": "Text", "Text": text}),
                    ui.HGroup({"Weight": 0}, [ui.Button({"ID": "Leave", "Text": "Leave it"}), ui.Button({"ID": "Take", "Text": title})]),
                ]
            )
        ],
    )
    items = small.GetItems()

    def take(event: Any = None) -> None:
        answer.append(str(items["Text"].Text or ""))
        dispatcher.ExitLoop()

    def leave(event: Any = None) -> None:
        dispatcher.ExitLoop()

    small.On["Take"].Clicked = take
    small.On["Leave"].Clicked = leave
    small.On["RetakeQuestion"].Close = leave
    small.Show()
    dispatcher.RunLoop()
    small.Hide()
    return answer[0] if answer else ""


def tell(fusion: Any, bmd: Any, lines: Sequence[str]) -> None:
    """A small window with something to read, for scripts that were started from the menu: nobody looks at the console."""
    ui = fusion.UIManager
    dispatcher = bmd.UIDispatcher(ui)
    small = dispatcher.AddWindow(
        {"ID": "RetakeMessage", "WindowTitle": "Retake", "Geometry": [300, 300, 640, 320]},
        [
            ui.VGroup(
                [
                    ui.TextEdit({"ID": "Messages", "ReadOnly": True, "PlainText": "\n".join(lines), "Weight": 1}),
                    ui.HGroup({"Weight": 0}, [ui.Button({"ID": "Close", "Text": "Close"})]),
                ]
            )
        ],
    )

    def close(event: Any = None) -> None:
        dispatcher.ExitLoop()

    small.On["Close"].Clicked = close
    small.On["RetakeMessage"].Close = close
    small.Show()
    dispatcher.RunLoop()
    small.Hide()
