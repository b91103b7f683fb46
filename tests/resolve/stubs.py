"""The published description of Resolve's interface (fusionscript-stubs), read as a syntax tree, and a proxy that lets through nothing else."""

from __future__ import annotations

import ast
import importlib.metadata
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

# Where the description wants an argument that its own texts call optional, and that versions in use do not know.
OPTIONAL = {
    ("TimelineItem", "GetStart"): "subframe_precision",
    ("TimelineItem", "GetEnd"): "subframe_precision",
    ("TimelineItem", "GetDuration"): "subframe_precision",
    ("TimelineItem", "GetLeftOffset"): "subframe_precision",
    ("TimelineItem", "GetRightOffset"): "subframe_precision",
    ("Timeline", "AddTrack"): "subTrackType",
}


class NotInSurface(AssertionError):
    """A call that the description does not allow. An AssertionError, so that no handler of the plugin swallows it."""


@dataclass(frozen=True)
class Surface:
    """What the description says: methods with their overloads, constants, lists of allowed values, and dictionaries with their keys."""

    methods: dict[str, dict[str, list[inspect.Signature]]] = field(default_factory=dict)
    constants: dict[str, set[str]] = field(default_factory=dict)
    literals: dict[str, set[Any]] = field(default_factory=dict)
    dictionaries: dict[str, dict[str, str]] = field(default_factory=dict)  # key -> what it holds, NotRequired[...] where it may be left out


@cache
def surface() -> Surface:
    files = importlib.metadata.files("fusionscript-stubs") or []
    path = next(Path(str(file.locate())) for file in files if file.name == "fusionscript.pyi")
    found = Surface()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            _read_literal(found, node)
        elif isinstance(node, ast.ClassDef):
            _read_class(found, node)
    return found


def _read_literal(found: Surface, node: ast.Assign) -> None:
    target = node.targets[0]
    if not isinstance(target, ast.Name):
        return
    value = node.value.left if isinstance(node.value, ast.BinOp) else node.value  # a list with computed names behind it: the plain ones count
    if isinstance(value, ast.Name) and value.id in found.literals:
        found.literals[target.id] = found.literals[value.id]
    elif isinstance(value, ast.Subscript) and isinstance(value.value, ast.Name) and value.value.id == "Literal":
        try:
            allowed = ast.literal_eval(value.slice)
        except ValueError:
            return  # made of constants, which have no values there
        found.literals[target.id] = set(allowed) if isinstance(allowed, tuple) else {allowed}


def _read_class(found: Surface, node: ast.ClassDef) -> None:
    members = [member for member in node.body if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name)]
    if any(isinstance(base, ast.Name) and base.id == "TypedDict" for base in node.bases):
        found.dictionaries[node.name] = {
            member.target.id: ast.unparse(member.annotation) for member in members if isinstance(member.target, ast.Name)
        }
        return
    found.constants[node.name] = {member.target.id for member in members if isinstance(member.target, ast.Name)}
    methods = found.methods.setdefault(node.name, {})
    for member in node.body:
        if isinstance(member, ast.FunctionDef):
            methods.setdefault(member.name, []).append(_signature(node.name, member))


def _signature(owner: str, node: ast.FunctionDef) -> inspect.Signature:
    arguments = node.args
    first_default = len(arguments.args) - len(arguments.defaults)
    parameters: list[inspect.Parameter] = []
    optional = False
    for index, argument in enumerate(arguments.args[1:], 1):
        text = ast.unparse(argument.annotation) if argument.annotation is not None else "Any"
        optional = optional or index >= first_default or text.startswith("Optional") or OPTIONAL.get((owner, node.name)) == argument.arg
        default = None if optional else inspect.Parameter.empty
        parameters.append(inspect.Parameter(argument.arg, inspect.Parameter.POSITIONAL_ONLY, default=default, annotation=text))
    if arguments.vararg is not None:
        parameters.append(inspect.Parameter(arguments.vararg.arg, inspect.Parameter.VAR_POSITIONAL))
    return inspect.Signature(parameters)


class Proxy:
    """An object of Resolve as scripts see it: a new one for every answer, positional arguments only, None for names that do not exist."""

    __slots__ = ("_impl",)

    def __init__(self, impl: Part) -> None:
        self._impl = impl

    def __dir__(self) -> list[str]:
        return sorted(self._impl.offered())

    def __getattr__(self, name: str) -> Any:
        impl = self._impl
        if name.startswith("__"):
            raise AttributeError(name)
        if impl.gone():
            return None
        if name in surface().constants.get(impl.stub, set()):
            return name
        if name not in impl.offered():
            return None
        made = getattr(impl, name, None)
        if made is None:
            raise NotInSurface(f"{impl.stub}.{name} is described, but the double has none")

        def call(*arguments: Any) -> Any:  # no keywords: the real bridge takes none
            impl.before(name)
            check_call(impl.stub, name, arguments)
            return wrapped(made(*[unwrapped(argument) for argument in arguments]))

        return call


class Part:
    """Base of the double's classes. `stub` names the class of the description that it stands for."""

    stub = ""
    hidden: frozenset[str] = frozenset()

    def offered(self) -> set[str]:
        return set(surface().methods[self.stub]) - self.hidden

    def gone(self) -> bool:
        """Whether the program has ended: its objects are still there, and know nothing."""
        return False

    def before(self, method: str) -> None:
        """Called before every call."""


def check_call(owner: str, name: str, arguments: tuple[Any, ...]) -> None:
    """Raise NotInSurface unless one of the overloads takes these arguments."""
    reasons: list[str] = []
    for signature in surface().methods[owner][name]:
        try:
            bound = signature.bind(*arguments)
        except TypeError as error:
            reasons.append(str(error))
            continue
        wrong = [problem for key, value in bound.arguments.items() for problem in _problems(key, value, str(signature.parameters[key].annotation))]
        if not wrong:
            return
        reasons += wrong
    raise NotInSurface(f"{owner}.{name}{arguments!r}: {'; '.join(reasons)}")


def _problems(name: str, value: Any, annotation: str) -> list[str]:
    known = surface()
    if annotation.startswith("Optional["):
        if value is None:
            return []
        annotation = annotation[len("Optional[") : -1]
    if annotation.startswith("List["):
        if not isinstance(value, list):
            return [f"{name} must be a list"]
        return [problem for one in value for problem in _problems(name, one, annotation[len("List[") : -1])]
    if annotation in known.literals:
        return [] if isinstance(value, (str, int)) and value in known.literals[annotation] else [f"{name}={value!r} is no {annotation}"]
    if annotation in known.dictionaries:
        if not isinstance(value, dict):
            return [f"{name} must be a {annotation}"]
        keys = known.dictionaries[annotation]
        wrong = [f"{annotation} has no key {key!r}" for key in value if key not in keys]
        wrong += [f"{annotation} needs {key!r}" for key, kind in keys.items() if not kind.startswith("NotRequired") and key not in value]
        for key, kind in keys.items():
            kind = kind.removeprefix("NotRequired[").removesuffix("]") if kind.startswith("NotRequired[") else kind
            if key in value and kind in known.literals | known.methods:  # other values than numbers; what those do is a trap of its own
                wrong += _problems(key, value[key], kind)
        return wrong
    if annotation in known.methods:
        return [] if isinstance(value, Proxy) and value._impl.stub == annotation else [f"{name} must be a {annotation}"]
    plain: dict[str, Callable[[Any], bool]] = {
        "str": lambda one: isinstance(one, str),
        "bool": lambda one: isinstance(one, bool),
        "int": lambda one: isinstance(one, (int, float)) and not isinstance(one, bool),
        "float": lambda one: isinstance(one, (int, float)) and not isinstance(one, bool),
    }
    return [] if annotation not in plain or plain[annotation](value) else [f"{name}={value!r} is no {annotation}"]


def wrapped(value: Any) -> Any:
    if isinstance(value, Part):
        return Proxy(value)
    if isinstance(value, list):
        return [wrapped(one) for one in value]
    if isinstance(value, tuple):
        return tuple(wrapped(one) for one in value)
    if isinstance(value, dict):
        return {key: wrapped(one) for key, one in value.items()}
    return value


def unwrapped(value: Any) -> Any:
    if isinstance(value, Proxy):
        return value._impl
    if isinstance(value, list):
        return [unwrapped(one) for one in value]
    if isinstance(value, dict):
        return {key: unwrapped(one) for key, one in value.items()}
    return value


def strangers(kind: type[Part]) -> list[str]:
    """Public methods of a class of the double that the description does not have: they would be inventions."""
    known = surface()
    return [name for name in vars(kind) if name[0].isupper() and name not in known.methods[kind.stub] and name not in known.constants[kind.stub]]
