"""Checks a decoded TOML document against frozen structs and collects every fault; pure."""

import difflib
import math
import typing
from decimal import Decimal
from typing import Any

import msgspec

from glmtrader.config.toml_lines import KeyPath
from glmtrader.config.types import convert

Fault = tuple[KeyPath, str]
"""Where, and what is wrong there."""


def struct_faults(value: object, struct: type[msgspec.Struct], path: KeyPath) -> list[Fault]:
    """Every fault of one table: unknown and missing keys, wrong types, broken conditions."""
    if not isinstance(value, dict):
        return [(path, f"must be a table, not {_kind(value)}")]
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    unknown = [((*path, key), _unknown(key, fields)) for key in value if key not in fields]
    faults: list[Fault] = []
    for name, field in fields.items():
        if name in value:
            faults += value_faults(value[name], field.type, (*path, name))
        elif field.required:
            faults.append((path, f"key {name!r} is missing"))
    known = {key: given for key, given in value.items() if key in fields}
    return unknown + (faults or _condition_faults(known, struct, path))


def value_faults(value: object, expected: Any, path: KeyPath) -> list[Fault]:
    """Every fault of one value, tables and lists of tables included."""
    table = _struct_of(expected)
    if table is not None:
        return struct_faults(value, table, path)
    item = _item_struct_of(expected)
    if item is not None:
        if not isinstance(value, list):
            return [(path, f"must be a list of tables, not {_kind(value)}")]
        return [
            fault
            for index, entry in enumerate(value)
            for fault in struct_faults(entry, item, (*path, index))
        ]
    try:
        converted = convert(value, expected)
    except msgspec.ValidationError as error:
        return [(path, _plain(str(error)))]
    judged_elsewhere = Any in typing.get_args(expected)
    if judged_elsewhere or _is_finite(converted):
        return []
    return [(path, f"{value} is not a finite number")]


def _condition_faults(
    value: dict[str, Any], struct: type[msgspec.Struct], path: KeyPath
) -> list[Fault]:
    """Conditions that a struct states over its own fields, one fault for each.

    A condition that begins with the name of a key in the file is told at that key's line.
    """
    try:
        convert(value, struct)
    except msgspec.ValidationError as error:
        told = _plain(str(error)).split("; ")
        return [(_blamed(part, value, path), part) for part in told]
    return []


def _blamed(fault: str, value: dict[str, Any], path: KeyPath) -> KeyPath:
    first = fault.split(maxsplit=1)[0]
    return (*path, first) if first in value else path


def _is_finite(value: object) -> bool:
    """Whether a value holds no NaN and no infinity: both slip through comparisons."""
    match value:
        case float():
            return math.isfinite(value)
        case Decimal():
            return value.is_finite()
        case dict():
            return all(_is_finite(item) for item in value.values())
        case list() | tuple():
            return all(_is_finite(item) for item in value)
        case _:
            return True


def _struct_of(expected: Any) -> type[msgspec.Struct] | None:
    for candidate in (expected, *typing.get_args(expected)):
        if isinstance(candidate, type) and issubclass(candidate, msgspec.Struct):
            return None if typing.get_origin(expected) is tuple else candidate
    return None


def _item_struct_of(expected: Any) -> type[msgspec.Struct] | None:
    if typing.get_origin(expected) not in (tuple, list):
        return None
    item = typing.get_args(expected)[0]
    is_struct = isinstance(item, type) and issubclass(item, msgspec.Struct)
    return item if is_struct else None


def _unknown(key: str, fields: dict[str, Any]) -> str:
    near = difflib.get_close_matches(key, fields, n=1)
    return f"unknown key; did you mean {near[0]!r}?" if near else "unknown key"


def _kind(value: object) -> str:
    return type(value).__name__


def _plain(message: str) -> str:
    return message.split(" - at `", maxsplit=1)[0]
