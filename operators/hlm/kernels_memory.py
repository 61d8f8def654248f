"""Two machine instructions that numba does not offer: prefetch, and compare-and-swap.

    prefetch(array, index)                        asks for the cache line of ``array[index]``, which
                                                  need not be in range
    replace_if(array, index, expected, wanted)    atomically: if ``array[index]`` (uint64) is
                                                  ``expected``, makes it ``wanted``

Neither changes a result. A prefetch is a hint; the compare-and-swap lets a background thread fill
words that the event's thread may fill first (operators/hlm/kernels_rebuild.py).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np import arrayobj

_FOR_READING, _KEEP_IN_ALL_CACHES, _DATA = 0, 3, 1

# numba and llvmlite carry no type information.
_llvm: Any = ir
_code: Any = cgutils
_arrays: Any = arrayobj


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Pointer to an element of a C-contiguous vector."""
    data = _arrays.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _prefetch(typingctx: Any, array: Any, index: Any) -> Any:  # noqa: ARG001 - numba's signature
    signature = types.void(array, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        i32 = _llvm.IntType(32)
        kind = _llvm.FunctionType(_llvm.VoidType(), [pointer.type, i32, i32, i32])
        hint = _code.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        flags = [i32(n) for n in (_FOR_READING, _KEEP_IN_ALL_CACHES, _DATA)]
        builder.call(hint, [pointer, *flags])
        return context.get_dummy_value()

    return signature, generate


def _replace_if(typingctx: Any, array: Any, index: Any, expected: Any, wanted: Any) -> Any:  # noqa: ARG001 - the same
    signature = types.void(array, types.uint64, types.uint64, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _element(context, builder, signature.args[0], args[0], args[1])
        builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst")
        return context.get_dummy_value()

    return signature, generate


prefetch: Any = intrinsic(_prefetch)
replace_if: Any = intrinsic(_replace_if)
