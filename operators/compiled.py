"""How kernels over the arrays of a model are compiled.

Without the GIL, without fastmath, and without counting references. numba counts them at every
access to an array of a named tuple, by atomic operations that the compiler cannot remove: looking
up thirteen ids took 1,012 ns with them and takes 176 ns without, a whole step of a cell 18.7 µs and
2.9 µs. What a kernel works on is kept alive by its caller. A kernel that made an array, or returned
one, does not compile this way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

from operators.kernel_cache import use_folder_of_these_sources

use_folder_of_these_sources()

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "_nrt": False}


def kernel(function: F) -> F:
    """Compile a kernel."""
    return cast("F", njit(**_OPTIONS)(function))


def inlined(function: F) -> F:
    """Compile a part of kernels, for insertion where it is called."""
    return cast("F", njit(**_OPTIONS, forceinline=True)(function))
