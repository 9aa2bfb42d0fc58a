"""Turn parsed JSON into frozen dataclasses, strictly: no unknown, missing or mistyped field."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from parakeet_asr.errors import ModelContractError

T = TypeVar("T")


def read_object(cls: type[T], data: object, where: str) -> T:
    """Build ``cls`` from a JSON object.

    Args:
        cls: a dataclass whose fields are int, float, str, bool, Literal, unions of these,
            homogeneous tuples, ``dict[str, X]`` or dataclasses of the same kind.
        data: what ``json.load`` gave.
        where: the name of this object in messages.

    Raises:
        ModelContractError: naming the field, what was expected and what came.
    """
    if not isinstance(data, Mapping):
        raise ModelContractError(f"{where}: expected an object, found {_short(data)}")
    hints = get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]  # T is a dataclass
    if unknown := sorted(set(data) - set(known)):
        raise ModelContractError(f"{where}: unknown field {unknown[0]!r}; known are {sorted(known)}")
    values: dict[str, Any] = {}
    for name, f in known.items():
        if name in data:
            values[name] = _read(hints[name], data[name], f"{where}: {name}")
        elif f.default is MISSING and f.default_factory is MISSING:
            raise ModelContractError(f"{where}: field {name!r} is missing")
    return cls(**values)


def _read(hint: Any, value: object, where: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if is_dataclass(hint) and isinstance(hint, type):
        return read_object(hint, value, where)
    if origin is Literal:
        if value in arguments:
            return value
        raise ModelContractError(f"{where}: expected one of {list(arguments)}, found {_short(value)}")
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ModelContractError(f"{where}: expected a list, found {_short(value)}")
        return tuple(_read(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        if not isinstance(value, Mapping):
            raise ModelContractError(f"{where}: expected an object, found {_short(value)}")
        return {str(key): _read(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    accepted = arguments if origin in (Union, types.UnionType) else (hint,)
    if type(value) in accepted:  # exact, so that true is no int
        return value
    names = " or ".join(kind.__name__ for kind in accepted)
    raise ModelContractError(f"{where}: expected {names}, found {_short(value)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
