"""Benchmarks share one report, printed when the session ends."""

from collections.abc import Iterator

import pytest

from tests.bench.bench_report import Report


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """Where every benchmark writes its numbers."""
    made = Report()
    yield made
    print(f"\n\n{made.table()}")  # noqa: T201  the table is what a benchmark is run for
