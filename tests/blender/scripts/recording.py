"""A layout that records what a panel draws, and holds it against Blender's own type information.

Blender as a module never draws. This stands in for `UILayout`: every method that is called must be one of `UILayout`'s with arguments that it has,
every operator and menu must be registered, every property must exist, every icon must be one of this version's.
"""

from __future__ import annotations

from typing import Any

import bpy

_FUNCTIONS = bpy.types.UILayout.bl_rna.functions
_ICONS = set(_FUNCTIONS["label"].parameters["icon"].enum_items.keys())
CONTAINERS = {"row", "column", "box", "split", "column_flow", "grid_flow"}
SETTABLE = {"enabled", "active", "alert", "alignment", "use_property_split", "use_property_decorate"}


class OperatorProperties:
    """What `layout.operator` returns: the operator's own properties may be set, and no others."""

    def __init__(self, idname: str) -> None:
        object.__setattr__(self, "_known", _operator(idname).get_rna_type().properties)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self._known, f"the operator has no property {name!r}"
        if self._known[name].type == "ENUM":
            assert value in self._known[name].enum_items, f"{name} cannot be {value!r}"


class Layout:
    """See the module's text. `lines` are what was drawn, as text; `labels` the words alone."""

    def __init__(self, root: Layout | None = None, depth: int = 0, row: bool = False) -> None:
        for name in SETTABLE:
            object.__setattr__(self, name, True)
        root = root or self
        object.__setattr__(self, "root", root)
        object.__setattr__(self, "depth", depth)
        object.__setattr__(self, "in_row", row)
        if root is self:
            object.__setattr__(self, "entries", [])
            object.__setattr__(self, "groups", 0)
        object.__setattr__(self, "group", _next_group(root))

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in SETTABLE, f"UILayout has no {name!r} to set"
        assert name in bpy.types.UILayout.bl_rna.properties, f"this version's UILayout has no {name!r}"
        object.__setattr__(self, name, value)

    def _check(self, function: str, given: dict[str, Any]) -> None:
        known = _FUNCTIONS[function].parameters.keys()
        for name, value in given.items():
            assert name in known, f"{function}() has no {name!r} in this version"
            if name == "icon":
                assert value in _ICONS, f"there is no icon {value!r} in this version"
            if name in {"text", "placeholder"}:
                assert isinstance(value, str), f"{function}({name}={value!r})"

    def _add(self, kind: str, text: str, more: str = "") -> None:
        self.root.entries.append({"kind": kind, "text": text, "more": more, "depth": self.depth, "group": self.group, "row": self.in_row})

    def __getattr__(self, name: str) -> Any:
        if name not in CONTAINERS:
            raise AttributeError(f"UILayout has no {name!r} that panels of ours may use")

        def make(**given: Any) -> Layout:
            self._check(name, given)
            return Layout(self.root, self.depth + (name == "box"), row=name == "row" or (self.in_row and name != "column"))

        return make

    def label(self, **given: Any) -> None:
        self._check("label", given)
        self._add("label", given.get("text", ""), given.get("icon", ""))

    def separator(self, **given: Any) -> None:
        self._check("separator", given)

    def operator(self, idname: str, **given: Any) -> OperatorProperties:
        self._check("operator", given)
        kind = _operator(idname).get_rna_type()
        self._add("button", given.get("text", kind.name), given.get("icon", ""))
        _operator(idname).poll()  # must answer, whatever the state
        return OperatorProperties(idname)

    def menu(self, idname: str, **given: Any) -> None:
        self._check("menu", given)
        assert hasattr(bpy.types, idname), f"there is no menu {idname}"
        inner = Layout()
        _draw(getattr(bpy.types, idname), inner, bpy.context)
        self._add("menu", given.get("text", ""), " / ".join(entry["text"] for entry in inner.entries))

    def prop(self, data: Any, name: str, **given: Any) -> None:
        self._check("prop", given)
        assert name in data.bl_rna.properties, f"{data.bl_rna.identifier} has no property {name!r}"
        self._add("field", given.get("text", data.bl_rna.properties[name].name), f"{getattr(data, name)}")

    def progress(self, **given: Any) -> None:
        self._check("progress", given)
        assert 0 <= given["factor"] <= 1
        self._add("bar", given.get("text", ""), f"{given['factor'] * 100:.0f} %")

    def template_list(self, list_type: str, list_id: str, data: Any, name: str, active_data: Any, active: str, **given: Any) -> None:  # noqa: PLR0917 - Blender's
        self._check("template_list", given)
        assert hasattr(bpy.types, list_type), f"there is no list {list_type}"
        assert name in data.bl_rna.properties
        assert active in active_data.bl_rna.properties
        self._add("list", list_type, f"{len(getattr(data, name))} rows")
        cls = getattr(bpy.types, list_type)
        for item in list(getattr(data, name))[: given.get("maxrows", 10)]:
            inner = Layout(self.root, self.depth + 1, row=True)
            cls.draw_item(_Stub(list_type), bpy.context, inner, data, item, 0, active_data, active)


class _Stub:
    """Stands for the panel that Blender would make; a panel's methods are called on it."""

    def __init__(self, name: str) -> None:
        self.bl_rna_name = name
        self.layout: Any = None


def _next_group(root: Layout) -> int:
    object.__setattr__(root, "groups", getattr(root, "groups", 0) + 1)
    return root.groups


def _operator(idname: str) -> Any:
    family, name = idname.split(".")
    operator = getattr(getattr(bpy.ops, family), name)
    operator.get_rna_type()  # raises KeyError where there is none
    return operator


def _draw(cls: Any, layout: Layout, context: Any) -> None:
    stub = _Stub(cls.__name__)
    stub.layout = layout
    cls.draw(stub, context)


def draw_all(context: Any = None) -> str:
    """All of Retake's panels as text. Raises what a panel raises, and AssertionError for whatever Blender would refuse to draw."""
    context = context or bpy.context
    panels = [getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("RETAKE_PT_")]
    out: list[str] = []
    for cls in sorted(panels, key=lambda cls: (bool(getattr(cls, "bl_parent_id", "")), order_of(cls))):
        if not cls.poll(context):
            continue
        layout = Layout()
        _draw(cls, layout, context)
        out.append(f"== {cls.bl_label}")
        out += as_text(layout)
    return "\n".join(out)


def order_of(cls: Any) -> int:
    names = ["retake", "script", "settings", "lines", "takes", "queue", "files"]
    return names.index(cls.__name__.removeprefix("RETAKE_PT_"))


SHAPES = {"button": "[{}]", "menu": "<{}>", "field": "|{}|", "bar": "({})", "list": "{}"}


def as_text(layout: Layout) -> list[str]:
    """One line for each row of the panel."""
    out: list[str] = []
    last = None
    for entry in layout.entries:
        words = entry["text"]
        if entry["kind"] == "field":
            words = f"{words}: {entry['more']}" if words else entry["more"]
        elif entry["kind"] in {"bar", "list"} or (entry["kind"] == "button" and not words):
            words = f"{words} {entry['more']}".strip()
        shown = SHAPES.get(entry["kind"], "{}").format(words)
        if entry["kind"] == "label" and entry["more"] not in {"", "NONE", "BLANK1"}:
            shown = f"{entry['more'].lower()} {shown}".strip()
        if entry["row"] and last == entry["group"]:
            out[-1] += " " + shown
        else:
            out.append("  " * (entry["depth"] + 1) + shown)
        last = entry["group"]
        if entry["kind"] in {"label", "button"}:
            longest = 41 if not entry["row"] else 30
            assert len(entry["text"]) <= longest, f"too long for the sidebar: {entry['text']!r}"
    return out
