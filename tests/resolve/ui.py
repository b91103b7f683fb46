"""A double of Fusion's UIManager: it knows the elements, attributes and signals that its examples show, and refuses the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# element -> attributes that may be given or set
ATTRIBUTES = {
    "Label": {"ID", "Text", "Weight", "WordWrap"},
    "Button": {"ID", "Text", "Weight", "Enabled"},
    "LineEdit": {"ID", "Text", "PlaceholderText", "Weight", "Enabled"},
    "TextEdit": {"ID", "PlainText", "ReadOnly", "Weight"},
    "Tree": {"ID", "Weight", "SelectionMode", "ColumnCount", "ColumnWidth"},
    "VGroup": {"ID", "Weight"},
    "HGroup": {"ID", "Weight"},
    "Timer": {"ID", "Interval", "SingleShot"},
}
SIGNALS = {"Button": {"Clicked"}, "Window": {"Close"}}


class Item:
    """A row of a tree."""

    def __init__(self) -> None:
        self.Text: dict[int, str] = {}


class Element:
    def __init__(self, kind: str, arguments: tuple[Any, ...]) -> None:
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "values", {})
        object.__setattr__(self, "children", [])
        object.__setattr__(self, "rows", [])
        object.__setattr__(self, "selected", [])
        for argument in arguments:
            if isinstance(argument, dict):
                for name, value in argument.items():
                    setattr(self, name, value)
            else:
                self.children.extend(argument)
        if kind == "Tree":
            self.values["ColumnWidth"] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in ATTRIBUTES[self.kind], f"a {self.kind} has no {name}"
        self.values[name] = value

    def __getattr__(self, name: str) -> Any:
        assert name in ATTRIBUTES[self.kind], f"a {self.kind} has no {name}"
        return self.values.get(name)

    def all(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            yield from child.all()

    # Trees and timers

    def NewItem(self) -> Item:
        assert self.kind == "Tree"
        return Item()

    def SetHeaderItem(self, item: Item) -> None:
        assert self.kind == "Tree"

    def AddTopLevelItem(self, item: Item) -> None:
        self.rows.append(item)

    def Clear(self) -> None:
        self.rows.clear()
        self.selected.clear()

    def SelectedItems(self) -> dict[int, Item]:
        return dict(enumerate(self.selected, 1))

    def Start(self) -> None:
        assert self.kind == "Timer"

    def Stop(self) -> None:
        assert self.kind == "Timer"


class _Signals:
    def __init__(self, kinds: dict[str, str], handlers: dict[tuple[str, str], Callable[..., Any]]) -> None:
        object.__setattr__(self, "_kinds", kinds)
        object.__setattr__(self, "_handlers", handlers)

    def __getitem__(self, name: str) -> _Signal:
        assert name in self._kinds, f"there is no element {name}"
        return _Signal(name, self._kinds[name], self._handlers)

    def __setattr__(self, signal: str, call: Callable[..., Any]) -> None:
        assert signal == "Timeout"
        self._handlers["", signal] = call


class _Signal:
    def __init__(self, name: str, kind: str, handlers: dict[tuple[str, str], Callable[..., Any]]) -> None:
        object.__setattr__(self, "_key", (name, kind, handlers))

    def __setattr__(self, signal: str, call: Callable[..., Any]) -> None:
        name, kind, handlers = self._key
        assert signal in SIGNALS[kind], f"a {kind} has no signal {signal}"
        handlers[name, signal] = call


class Window:
    def __init__(self, identifier: str, roots: list[Element], handlers: dict[tuple[str, str], Callable[..., Any]]) -> None:
        self.elements = {element.ID: element for root in roots for element in root.all() if element.kind not in {"VGroup", "HGroup"}}
        self.shown = False
        self.On = _Signals({identifier: "Window", **{name: element.kind for name, element in self.elements.items()}}, handlers)

    def GetItems(self) -> dict[str, Element]:
        return self.elements

    def Show(self) -> None:
        self.shown = True

    def Hide(self) -> None:
        self.shown = False


class UIManager:
    def __getattr__(self, kind: str) -> Callable[..., Element]:
        assert kind in ATTRIBUTES, f"there is no element {kind}"
        return lambda *arguments: Element(kind, arguments)


class Dispatcher:
    """`script` plays the user: it is called while the loop runs, and clicks."""

    def __init__(self, script: Callable[[Dispatcher], None]) -> None:
        self.handlers: dict[tuple[str, str], Callable[..., Any]] = {}
        self.On = _Signals({}, self.handlers)
        self.script = script
        self.ended = False
        self.window: Window | None = None

    def AddWindow(self, options: dict[str, Any], roots: list[Element]) -> Window:
        assert set(options) <= {"ID", "WindowTitle", "Geometry"}
        self.window = Window(options["ID"], roots, self.handlers)
        return self.window

    def RunLoop(self) -> None:
        assert self.window is not None and self.window.shown
        self.script(self)
        assert self.ended, "the window was not closed"

    def ExitLoop(self) -> None:
        self.ended = True

    def fire(self, name: str, signal: str = "Clicked") -> None:
        self.handlers[name, signal]({})

    def text(self, name: str) -> str:
        assert self.window is not None
        element = self.window.elements[name]
        return str(element.PlainText if element.kind == "TextEdit" else element.Text)
