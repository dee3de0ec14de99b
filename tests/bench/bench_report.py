"""What the benchmarks print: one row a number, with its target, in one table at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

SANITY_FACTOR = 100.0
"""A benchmark fails only this far from its target; the table says which targets are missed."""


@dataclass(frozen=True)
class Row:
    """One measured number beside what was to be reached."""

    name: str
    measured: float
    unit: str
    target: float | None
    more_is_better: bool = False
    ours: float | None = None
    """Where the row is a peer's: what we measured beside it, in the same unit."""

    @property
    def is_sane(self) -> bool:
        """Whether it is within the loose factor of its target."""
        if self.target is None:
            return True
        if self.more_is_better:
            return self.measured * SANITY_FACTOR >= self.target
        return self.measured <= self.target * SANITY_FACTOR

    @property
    def is_reached(self) -> bool:
        """Whether the target is met."""
        if self.target is None:
            return True
        return self.measured >= self.target if self.more_is_better else self.measured <= self.target


class Report:
    """Collects rows over the session."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def add(
        self,
        name: str,
        measured: float,
        unit: str,
        target: float | None = None,
        *,
        more_is_better: bool = False,
    ) -> None:
        """Keep one number; fails where it is far beyond its target.

        Raises:
            AssertionError: it misses its target by more than `SANITY_FACTOR`.
        """
        row = Row(name, measured, unit, target, more_is_better)
        self.rows.append(row)
        assert row.is_sane, f"{name}: {measured:g} {unit}, the target is {target:g}"

    def add_peer(self, name: str, measured: float, unit: str, *, ours: float) -> None:
        """Keep a peer's number and its ratio to ours; a peer has no target to reach."""
        self.rows.append(Row(name, measured, unit, target=None, ours=ours))

    def table(self) -> str:
        """All rows as text."""
        lines = [f"{'':58s} {'measured':>12s} {'to reach':>12s}"]
        for row in self.rows:
            sign = ">=" if row.more_is_better else "<="
            target = "" if row.target is None else f"{sign} {row.target:,g}"
            mark = "" if row.is_reached else "  missed"
            if row.ours is not None:
                mark = f"  {row.measured / row.ours:.2f} times ours"
            lines.append(
                f"{row.name:58s} {_text(row.measured):>12s} {target:>12s} {row.unit}{mark}"
            )
        return "\n".join(lines)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return percentile(values, 0.5)


def _text(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
