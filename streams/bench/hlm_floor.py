"""What Hlm is measured against that needs no package: the floor, and a clock for single events."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from operators.hlm.kernels import SCRATCH_HEADER, UNKNOWN
from operators.hlm.kernels_batch import LANES, step_events

if TYPE_CHECKING:
    from operators.hlm.model import Hlm
    from streams.bench.hlm_events import Events

Floats = npt.NDArray[np.float64]

_llvm: Any = ir
_code: Any = cgutils


@njit(nogil=True, error_model="numpy")
def gather_scatter(
    weights: Floats,
    indptr: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
    values: Floats,
    y: Floats,
    lr: float,
) -> float:
    """The same rule on a plain array whose elements are known beforehand: no id, no hash."""
    bias = 0.0
    for t in range(y.shape[0]):
        lo, hi = np.uint64(indptr[t]), np.uint64(indptr[t + 1])
        score = bias
        for i in range(lo, hi):
            score += weights[np.uint64(places[i])] * values[i]
        step = lr * (y[t] - score)
        for i in range(lo, hi):
            place = np.uint64(places[i])
            weights[place] = weights[place] + (step * values[i])
        bias += step
    return bias


def _cycles(typingctx: Any) -> Any:  # noqa: ARG001 - numba's signature
    signature = types.uint64()

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001 - the same
        kind = _llvm.FunctionType(_llvm.IntType(64), [])
        counter = _code.get_or_insert_function(builder.module, kind, "llvm.readcyclecounter")
        return builder.call(counter, [])

    return signature, generate


cycles: Any = intrinsic(_cycles)


@njit(nogil=True, error_model="numpy")
def read_cycles() -> int:
    """The processor's cycle counter."""
    return int(cycles())


@njit(nogil=True, error_model="numpy")
def _timed_events(
    hlm: Any,
    scratch: Any,
    indptr: Any,
    ids: Any,
    values: Any,
    y: Any,
    start: int,
    lr: float,
    predictions: Any,
    out: Any,
) -> int:
    """Step events one by one, each a call of its own, and clock each; as ``step_events``."""
    for t in range(start, y.shape[0]):
        before = cycles()
        done = step_events(
            hlm, scratch, indptr, ids, values, y[: t + 1], 0, t, lr, 0.0, predictions
        )
        out[t] += cycles() - before
        if done == t:
            return int(t)
    return int(y.shape[0])


@njit(nogil=True, error_model="numpy")
def _gather_scatter_one(
    weights: Floats, lo: int, hi: int, places: Any, values: Floats, y: float, bias: float, lr: float
) -> float:
    """One event of ``gather_scatter``; its step."""
    score = bias
    for i in range(np.uint64(lo), np.uint64(hi)):
        score += weights[np.uint64(places[i])] * values[i]
    step: float = lr * (y - score)
    for i in range(np.uint64(lo), np.uint64(hi)):
        place = np.uint64(places[i])
        weights[place] = weights[place] + (step * values[i])
    return step


@njit(nogil=True, error_model="numpy")
def _timed_floor(
    weights: Floats, indptr: Any, places: Any, values: Floats, y: Floats, lr: float, out: Any
) -> None:
    bias = 0.0
    for t in range(y.shape[0]):
        before = cycles()
        bias += _gather_scatter_one(
            weights, indptr[t], indptr[t + 1], places, values, y[t], bias, lr
        )
        out[t] = cycles() - before


def floor_times(weights: Floats, events: Events, lr: float) -> Floats:
    """Nanoseconds of each event on the plain array, learnt alone."""
    clocked = np.zeros(len(events.labels), np.uint64)
    began, first = time.perf_counter(), read_cycles()
    _timed_floor(weights, events.indptr, events.places, events.values, events.labels, lr, clocked)
    per_cycle = (time.perf_counter() - began) * 1e9 / (read_cycles() - first)
    return np.asarray(clocked * per_cycle, np.float64)


def event_times(hlm: Hlm, events: Events) -> Floats:
    """Nanoseconds of each event, learnt alone; what a rebuild's steps cost its event is in it."""
    scratch = np.empty(LANES * (SCRATCH_HEADER + int(np.diff(events.indptr).max())), np.int64)
    predictions = np.empty(len(events.labels))
    clocked = np.zeros(len(events.labels), np.uint64)
    began, first = time.perf_counter(), read_cycles()
    done = 0
    while True:
        done = _timed_events(
            hlm.arrays, scratch, events.indptr, events.ids, events.values, events.labels, done,
            hlm.config.lr, predictions, clocked,
        )  # fmt: skip
        if done == len(events.labels):
            break
        before = read_cycles()
        hlm.attend(int(scratch[UNKNOWN]))
        clocked[done] += np.uint64(read_cycles() - before)
    per_cycle = (time.perf_counter() - began) * 1e9 / (read_cycles() - first)
    return np.asarray(clocked * per_cycle, np.float64)
