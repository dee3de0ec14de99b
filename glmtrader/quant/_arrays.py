"""Array types and block iteration shared by the numeric kernels.

NumPy alone may enter. Kernels work on flat contiguous blocks that stay in the second-level cache.
"""

from collections.abc import Iterator
from typing import TypeAlias, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]
IntArray: TypeAlias = NDArray[np.int64]
CodeArray: TypeAlias = NDArray[np.uint8]

BLOCK_LENGTH = 8_192
"""Elements a block: 64 KiB an operand. Of larger blocks' temporaries the allocator returns the
pages after each step and faults them in again, which doubles the time of a fresh process."""


def flat_rows(
    *values: ArrayLike, flags: ArrayLike
) -> tuple[tuple[int, ...], list[FloatArray], BoolArray]:
    """Broadcast numbers and flags to one shape; return it with flat contiguous columns.

    Returns:
        The common shape, the float64 columns and the flag column, each of the shape's length.
    """
    columns = [np.asarray(value, dtype=np.float64) for value in values]
    marks = np.asarray(flags, dtype=np.bool_)
    shape = marks.shape
    if any(column.shape != shape for column in columns):
        shape = np.broadcast_shapes(shape, *(column.shape for column in columns))
        columns = [np.broadcast_to(column, shape) for column in columns]
        marks = np.broadcast_to(marks, shape)
    flat = [np.ascontiguousarray(column).reshape(-1) for column in columns]
    return shape, flat, np.ascontiguousarray(marks).reshape(-1)


def shaped(flat: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Give the result its shape; for all-scalar input a float64 scalar, as NumPy's ufuncs do."""
    return flat.reshape(shape) if shape else cast("FloatArray", flat[0])


def constants(*values: float) -> tuple[FloatArray, ...]:
    """Coefficients as zero-dimensional arrays, which ufuncs take without converting each time."""
    return tuple(np.array(value) for value in values)


def blocks(length: int) -> Iterator[slice]:
    """Slices of at most ``BLOCK_LENGTH`` that cover ``range(length)``."""
    for start in range(0, length, BLOCK_LENGTH):
        yield slice(start, min(start + BLOCK_LENGTH, length))
