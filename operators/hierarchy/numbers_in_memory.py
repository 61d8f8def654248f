"""Numbers at addresses, and half precision, for kernels.

Kernels that read many arrays at once, of which each belongs to somebody else, are given addresses:
numba knows no list of arrays that costs nothing. Half precision is bits to it; here they are read
and made with integers, the same on every processor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from operators.compiled import inlined

if TYPE_CHECKING:
    from collections.abc import Callable

# numba calls what is decorated with the types of a call, and it is called with the values.
inserted: Any = intrinsic

LANES: Final = 16
"""Floats that are taken side by side."""
_BITS: Final = ir.IntType(16)
_HALF_RANGE: Final = 2.0**112
"""What half precision's bits, read as those of a float, fall short by."""
_ENDLESS: Final = np.uint32(0x47800000)
_SMALL: Final = np.uint32(0x38800000)
_SHIFT: Final = np.uint32(13)


@inserted
def as_float(typing: Any, bits: Any) -> Any:  # noqa: ARG001 - numba's form
    """Read 32 bits as those of a float."""

    def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001 - numba's form
        return builder.bitcast(values[0], ir.FloatType())

    return types.float32(types.uint32), make


@inserted
def bits_of(typing: Any, number: Any) -> Any:  # noqa: ARG001 - numba's form
    """The 32 bits of a float."""

    def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001 - numba's form
        return builder.bitcast(values[0], ir.IntType(32))

    return types.uint32(types.float32), make


@inserted
def fused(typing: Any, left: Any, right: Any, more: Any) -> Any:  # noqa: ARG001 - numba's form
    """Left times right plus more, rounded once: one instruction, on processors that have it."""

    def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001 - numba's form
        return builder.fma(*values)

    return types.float32(types.float32, types.float32, types.float32), make


@inserted
def widen(typing: Any, address: Any, count: Any, like: Any, ahead: Any, out: Any) -> Any:  # noqa: ARG001 - numba's form
    """Numbers at an address as floats at another, a multiple of 16; of the type that `like` has.

    Those that are `ahead` bytes further on are asked for meanwhile: of what lies in many places the
    processor looks no further ahead than a page.
    """

    def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        start, number, _, further, result = values
        kind = context.get_value_type(signature.args[2])
        whole, place = ir.IntType(64), ir.IntType(8).as_pointer()
        call = _declared(builder, "llvm.prefetch.p0", ir.VoidType(), [place, *[ir.IntType(32)] * 3])

        def step(index: Any) -> None:
            read = builder.add(start, builder.mul(index, whole(2 if kind == _BITS else 4)))
            hint = builder.inttoptr(builder.add(read, further), place)
            builder.call(call, [hint, *map(ir.IntType(32), (0, 2, 1))])
            row = ir.VectorType(kind, LANES)
            loaded = builder.load(builder.inttoptr(read, row.as_pointer()), align=2)
            made = loaded if kind != _BITS else _floats(builder, loaded)
            written = builder.add(result, builder.mul(index, whole(4)))
            at_ = builder.inttoptr(written, ir.VectorType(ir.FloatType(), LANES).as_pointer())
            builder.store(made, at_, align=4)

        _loop(builder, number, LANES, step)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, like, types.int64, types.int64), make


def _declared(builder: Any, name: str, result: Any, inputs: list[Any]) -> Any:
    """One of LLVM's own functions."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, inputs), name)


def _loop(builder: Any, end: Any, by: int, step: Callable[[Any], None]) -> None:
    """Build a loop over 0, `by`, … below an end that is above 0."""
    before = builder.block
    body, after = (builder.append_basic_block(name) for name in ("body", "after"))
    builder.branch(body)
    builder.position_at_end(body)
    index = builder.phi(ir.IntType(64))
    index.add_incoming(ir.IntType(64)(0), before)
    step(index)
    following = builder.add(index, ir.IntType(64)(by))
    index.add_incoming(following, builder.block)
    builder.cbranch(builder.icmp_signed("<", following, end), body, after)
    builder.position_at_end(after)


def _floats(builder: Any, bits: Any) -> Any:
    """The floats that 16 numbers of half precision stand for."""
    whole, real = (ir.VectorType(kind, LANES) for kind in (ir.IntType(32), ir.FloatType()))

    def all_(value: float, kind: Any = whole) -> Any:
        return ir.Constant(kind, [kind.element(value)] * LANES)

    wide = builder.zext(bits, whole)
    sign = builder.shl(builder.and_(wide, all_(0x8000)), all_(16))
    rest = builder.shl(builder.and_(wide, all_(0x7FFF)), all_(13))
    short = builder.bitcast(builder.or_(sign, rest), real)
    return builder.fmul(short, all_(_HALF_RANGE, real))


def _sum_of_rows(blocks: int) -> Any:
    """What adds up rows of 16 times `blocks` floats, each by its weight, in order.

    Sums stay in registers; written as loops over arrays they would go through memory, at a fifth
    of the speed.
    """

    @inserted
    def sum_of_rows(
        typing: Any,  # noqa: ARG001 - numba's form
        weights: Any,  # noqa: ARG001 - numba's form
        rows: Any,  # noqa: ARG001 - numba's form
        count: Any,  # noqa: ARG001 - numba's form
        stride: Any,  # noqa: ARG001 - numba's form
        out: Any,  # noqa: ARG001 - numba's form
    ) -> Any:
        def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001 - numba's form
            _summed(builder, blocks, *values)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, types.int64, types.int64), make

    return sum_of_rows


def _summed(
    builder: Any, blocks: int, weights: Any, rows: Any, count: Any, stride: Any, out: Any
) -> None:
    """Build the loop over rows: one weight, `blocks` parts of its row, as many sums."""
    one, lanes, whole = ir.FloatType(), ir.VectorType(ir.FloatType(), LANES), ir.IntType(64)
    zero, first = ir.Constant(lanes, None), ir.Constant(ir.VectorType(ir.IntType(32), LANES), None)
    weights, rows, out = (builder.inttoptr(at, one.as_pointer()) for at in (weights, rows, out))
    fma = _declared(builder, f"llvm.fma.v{LANES}f32", lanes, [lanes] * 3)

    def part(start: Any, block: int) -> Any:
        place = builder.gep(start, [whole(block * LANES)])
        return builder.bitcast(place, lanes.as_pointer())

    before = builder.block
    sums: list[Any] = []

    def step(index: Any) -> None:
        sums.extend(builder.phi(lanes) for _ in range(blocks))
        weight = builder.load(builder.gep(weights, [index]))
        spread = builder.insert_element(zero, weight, ir.IntType(32)(0))
        spread = builder.shuffle_vector(spread, spread, first)
        row = builder.gep(rows, [builder.mul(index, stride)])
        loaded = [builder.load(part(row, block), align=4) for block in range(blocks)]
        for total, numbers in zip(sums, loaded, strict=True):
            total.add_incoming(zero, before)
            total.add_incoming(builder.call(fma, [spread, numbers, total]), builder.block)

    _loop(builder, count, 1, step)
    for block, total in enumerate(sums):
        builder.store(total.incomings[1][0], part(out, block), align=4)


sum_of_rows_16 = _sum_of_rows(1)
sum_of_rows_64 = _sum_of_rows(4)


@inserted
def bytes_of(typing: Any, like: Any) -> Any:  # noqa: ARG001 - numba's form
    """Bytes of a number."""

    def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:  # noqa: ARG001 - numba's form
        return ir.IntType(64)(like.bitwidth // 8)

    return types.int64(like), make


@inserted
def put(typing: Any, address: Any, index: Any, value: Any) -> Any:  # noqa: ARG001 - numba's form
    """Put a number at an address."""

    def make(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = context.get_value_type(signature.args[2]).as_pointer()
        builder.store(values[2], builder.gep(builder.inttoptr(values[0], kind), [values[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, value), make


@inlined
def halved(number: Any) -> Any:
    """The bits of the half precision number next to a float, of two the even one.

    F. Giesen, float_to_half_fast3_rtne (public domain); beyond 65,504 infinity.
    """
    bits = bits_of(number)
    sign = (bits >> np.uint32(16)) & np.uint32(0x8000)
    size = bits & np.uint32(0x7FFFFFFF)
    if size >= _ENDLESS:
        short = np.uint32(0x7C00)
    elif size < _SMALL:
        short = bits_of(as_float(np.uint32(size)) + np.float32(0.5)) - np.uint32(0x3F000000)
    else:
        odd = (size >> _SHIFT) & np.uint32(1)
        short = (size - np.uint32(0x38000000) + np.uint32(0xFFF) + odd) >> _SHIFT
    return np.uint16(short | sign)
