"""JSON read into types: dataclasses, typed dictionaries and what they are made of, checked whole."""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from rarecase.core.errors import DataError


def from_json(kind: Any, value: Any, where: str) -> Any:
    """`value` as an object of type `kind`; a `DataError` names the first field that is missing or of another type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in arguments:
            raise DataError(f"{where}: expected one of {', '.join(arguments)}; it was changed, or is damaged")
        return value
    if origin in (Union, UnionType):
        if value is None and NoneType in arguments:
            return None
        kinds = [one for one in arguments if one is not NoneType]
        return from_json(next((one for one in kinds if type(value) is one), kinds[0]), value, where)
    if is_dataclass(kind) or is_typeddict(kind):
        return _record(kind, _require(value, dict, where), where)
    if origin in (tuple, list):
        ones = enumerate(_require(value, list, where))
        return origin(from_json(arguments[0], one, f"{where}[{i}]") for i, one in ones)
    if origin in (dict, Mapping):
        return {name: from_json(arguments[1], one, f"{where}.*") for name, one in _require(value, dict, where).items()}
    return value if kind is Any else _require(value, kind, where)


def _record(kind: Any, value: dict[str, Any], where: str) -> Any:
    types = get_type_hints(kind)
    if is_typeddict(kind):
        required = kind.__required_keys__
    else:
        required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    missing = next((name for name in types if name in required and name not in value), None)
    if missing:
        raise DataError(f"{where}: {missing} is missing; it was written by something else, or is damaged")
    found = {name: from_json(type_, value[name], f"{where}.{name}") for name, type_ in types.items() if name in value}
    return value | found if is_typeddict(kind) else kind(**found)


def _require(value: Any, kind: type, where: str) -> Any:
    accepted = (int, float) if kind is float else kind
    if isinstance(value, int) and abs(value) >= 2**63:
        raise DataError(f"{where}: a number of too many digits; it was changed, or is damaged")
    if isinstance(value, float) and not isfinite(value):  # which Python reads and writes, and JSON has not
        raise DataError(f"{where}: {value}, expected a finite number; it was changed, or is damaged")
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise DataError(f"{where}: {type(value).__name__}, expected {kind.__name__}; it was changed, or is damaged")
    return value
