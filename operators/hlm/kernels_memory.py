"""Two machine instructions that numba does not offer: prefetch, and compare-and-swap.

Neither changes a result. A prefetch is a hint; the compare-and-swap lets a background thread fill
words that the event's thread may fill first (operators/hlm/kernels_rebuild.py).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

_FOR_READING, _KEEP_IN_ALL_CACHES, _DATA = 0, 3, 1


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Pointer to an element of a C-contiguous vector."""
    data = make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


@intrinsic
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - numba's signature
    """Ask for the cache line of ``array[index]``; the index need not be in range."""
    signature = types.void(array, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        i32 = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, i32, i32, i32])
        name = "llvm.prefetch.p0"
        hint = cgutils.get_or_insert_function(builder.module, kind, name)
        flags = [i32(n) for n in (_FOR_READING, _KEEP_IN_ALL_CACHES, _DATA)]
        builder.call(hint, [pointer, *flags])
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def replace_if(
    typingctx: Any,  # noqa: ARG001 - numba's signature
    array: Any,
    index: Any,
    expected: Any,  # noqa: ARG001 - the same
    wanted: Any,  # noqa: ARG001 - the same
) -> Any:
    """Atomically: if ``array[index]`` (uint64) is ``expected``, make it ``wanted``."""
    signature = types.void(array, types.uint64, types.uint64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst")
        return context.get_dummy_value()

    return signature, generate
