"""Where each key of a TOML file stands, so that a fault can name its line; pure."""

import re

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the root, for example `("strategy", 0, "params", "cooldown_s")`."""

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(?:#.*)?$")
_ENTRY = re.compile(r"^\s*([A-Za-z0-9_.\-\"']+)\s*=")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Line number (from 1) of every table header and key that starts a line."""
    lines: dict[KeyPath, int] = {}
    counts: dict[tuple[str, ...], int] = {}
    table: KeyPath = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(line)
        if header is not None:
            names = _names(header.group(2))
            if header.group(1) == "[[":
                counts[names] = counts.get(names, -1) + 1
            table = _indexed(names, counts)
            lines.setdefault(table, number)
            continue
        entry = _ENTRY.match(line)
        if entry is not None:
            lines.setdefault(table + _names(entry.group(1)), number)
    return lines


def line_of(path: KeyPath, lines: dict[KeyPath, int]) -> int:
    """Line of a key, or of the nearest table around it; 1 for what is nowhere in the file."""
    for length in range(len(path), 0, -1):
        found = lines.get(path[:length])
        if found is not None:
            return found
    return 1


def spelled(path: KeyPath) -> str:
    """A key path as a person would write it: `strategy[0].params.cooldown_s`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "top level"


def _names(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _indexed(names: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> KeyPath:
    path: KeyPath = ()
    for length in range(1, len(names) + 1):
        path += (names[length - 1],)
        index = counts.get(names[:length])
        if index is not None:
            path += (index,)
    return path
