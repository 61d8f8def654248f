"""The learning rule of Hlm: a contract, down to the order of operations.

All in float64, features in the order of the event, each product and each sum rounded on its own:

    score = bias;  for each known id in turn: score = score + (w * x)
    p     = link(score);  e = y - p            (or the caller's e)
    decay = 1 - (lr * l2);  step = lr * e
    for each feature in turn: w = (decay * w) + (step * x)
    bias  = bias + step

An id that was unknown at prediction adds nothing to the score and is learnt from w = 0. An id that
occurs twice is predicted with twice and learnt twice, the second time from the weight that the
first time left. A value of 0 makes its id known and decays its weight. Without an intercept the
bias is 0 and stays so.

**Compensated**: ``c = 0; for each known id: p = w * x; c = c + error(score + p); score = score + p``
and the score is ``score + c`` at the end (Neumaier; ``error`` is the rounding error, TwoSum).

**AdaGrad** (Duchi et al., 2011), each weight with the sum G of its squared gradients:

    for each feature in turn: g = e * x;  G = G + (g * g)
                              w = (decay * w) + ((lr * g) / (sqrt(G) + EPSILON))

and the same for the bias, whose x is 1 and which does not decay.

**Single**: the rule itself with every operation, rates included, rounded to float32.

The references in operators/hlm/reference.py say the same in plain Python.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.hlm.layout import (
    ACTIVE,
    BIAS,
    BIAS_SQUARES,
    BLOCK_WORD_BITS,
    FROZEN,
    HlmArrays,
)
from operators.numerics import add_error, sigmoid

EPSILON = 1e-8
"""Keeps AdaGrad from dividing by zero."""

_1, _2 = np.uint64(1), np.uint64(2)
_BLOCK_WORD_BITS = np.uint64(BLOCK_WORD_BITS)
_FROZEN, _ACTIVE = np.uint64(FROZEN), np.uint64(ACTIVE)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def link_of(hlm: HlmArrays, score: float) -> float:
    """Prediction for a raw score: the score itself, or its logistic function."""
    if hlm.rules.logistic:
        return sigmoid(score)
    return score


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _read(hlm: HlmArrays, place: int, which: np.uint64) -> float:
    """Learnt word ``which`` (1: weight, 2: squares) of a place that is not ``ABSENT``."""
    shift = np.uint64(hlm.rules.word_bits)
    if place < FROZEN:
        return float(hlm.base.weights[(np.uint64(place) << shift) + which])
    if place < ACTIVE:
        return float(hlm.frozen.weights[((np.uint64(place) - _FROZEN) << shift) + which])
    return float(hlm.active.weights[((np.uint64(place) - _ACTIVE) << shift) + which])


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def _store(hlm: HlmArrays, place: int, which: np.uint64, value: float) -> None:
    """Write a learnt word, tell that its block changed, and write it to the next base too."""
    shift = np.uint64(hlm.rules.word_bits)
    if place >= ACTIVE:
        word = (np.uint64(place) - _ACTIVE) << shift
        hlm.active.weights[word + which] = value
        hlm.active.dirty[word >> _BLOCK_WORD_BITS] = 1
        return
    if place >= FROZEN:
        slot = np.uint64(place) - _FROZEN
        hlm.frozen.weights[(slot << shift) + which] = value
        hlm.frozen.dirty[(slot << shift) >> _BLOCK_WORD_BITS] = 1
        slot += np.uint64(hlm.base.keys)
    else:
        slot = np.uint64(place)
        hlm.base.weights[(slot << shift) + which] = value
        hlm.base.dirty[(slot << shift) >> _BLOCK_WORD_BITS] = 1
    if hlm.mirror.on:
        hlm.mirror.weights[(np.uint64(hlm.mirror.forward[slot]) << shift) + which] = value


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def weight_at(hlm: HlmArrays, place: int) -> float:
    """Weight at a place; 0 if it is ``ABSENT``."""
    return _read(hlm, place, _1) if place >= 0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def add_to_weight(hlm: HlmArrays, place: int, change: float) -> None:
    """Add to the weight at a place; nothing if it is ``ABSENT``."""
    if place >= 0:
        _store(hlm, place, _1, _read(hlm, place, _1) + change)


@njit(cache=True, nogil=True, error_model="numpy")
def weights_at(hlm: HlmArrays, places: Ints, out: Floats) -> None:
    """Weight at each place; 0 where it is ``ABSENT``."""
    for k in range(places.shape[0]):
        out[k] = weight_at(hlm, places[k])


@njit(cache=True, nogil=True, error_model="numpy")
def score_places(hlm: HlmArrays, places: Ints, values: Floats, lo: int, hi: int) -> float:
    """Raw score of an event whose ids are at ``places``."""
    score: float = hlm.params[BIAS]
    if hlm.rules.single:
        single = np.float32(score)
        for k in range(hi - lo):
            if places[k] >= 0:
                weight = np.float32(_read(hlm, places[k], _1))
                single = np.float32(single + np.float32(weight * np.float32(values[lo + k])))
        return float(single)
    if hlm.rules.compensated:
        residual = 0.0
        for k in range(hi - lo):
            if places[k] >= 0:
                product = _read(hlm, places[k], _1) * values[lo + k]
                residual += add_error(score, product)
                score += product
        return score + residual
    for k in range(hi - lo):
        if places[k] >= 0:
            score += _read(hlm, places[k], _1) * values[lo + k]
    return score


@njit(cache=True, nogil=True, error_model="numpy")
def _learn_single(
    hlm: HlmArrays, places: Ints, values: Floats, lo: int, hi: int, e: float, lr: float, l2: float
) -> None:
    decay = np.float32(np.float32(1.0) - np.float32(np.float32(lr) * np.float32(l2)))
    step = np.float32(np.float32(lr) * np.float32(e))
    for k in range(hi - lo):
        if places[k] >= 0:
            kept = np.float32(decay * np.float32(_read(hlm, places[k], _1)))
            moved = np.float32(step * np.float32(values[lo + k]))
            _store(hlm, places[k], _1, float(np.float32(kept + moved)))
    if hlm.rules.intercept:
        hlm.params[BIAS] = float(np.float32(np.float32(hlm.params[BIAS]) + step))


@njit(cache=True, nogil=True, error_model="numpy")
def _learn_adagrad(
    hlm: HlmArrays, places: Ints, values: Floats, lo: int, hi: int, e: float, lr: float, l2: float
) -> None:
    decay = 1.0 - lr * l2
    for k in range(hi - lo):
        if places[k] >= 0:
            g = e * values[lo + k]
            squares = _read(hlm, places[k], _2) + g * g
            weight = decay * _read(hlm, places[k], _1)
            _store(hlm, places[k], _2, squares)
            _store(hlm, places[k], _1, weight + (lr * g) / (math.sqrt(squares) + EPSILON))
    if hlm.rules.intercept:
        hlm.params[BIAS_SQUARES] += e * e
        hlm.params[BIAS] += (lr * e) / (math.sqrt(hlm.params[BIAS_SQUARES]) + EPSILON)


@njit(cache=True, nogil=True, error_model="numpy")
def _learn_anywhere(
    hlm: HlmArrays, places: Ints, values: Floats, lo: int, hi: int, decay: float, step: float
) -> None:
    for k in range(hi - lo):
        if places[k] >= 0:
            weight = (decay * _read(hlm, places[k], _1)) + (step * values[lo + k])
            _store(hlm, places[k], _1, weight)


@njit(cache=True, nogil=True, error_model="numpy", forceinline=True)
def learn_places(
    hlm: HlmArrays,
    places: Ints,
    values: Floats,
    lo: int,
    hi: int,
    e: float,
    lr: float,
    l2: float,
    in_base: bool,
) -> None:
    """Learn an event whose ids are at ``places``, all of the base if ``in_base``.

    The most frequent case, all in the base, has a loop of its own: the same operations.
    """
    rules = hlm.rules
    if rules.single:
        _learn_single(hlm, places, values, lo, hi, e, lr, l2)
        return
    if rules.adagrad:
        _learn_adagrad(hlm, places, values, lo, hi, e, lr, l2)
        return
    decay = 1.0 - lr * l2
    step = lr * e
    if not in_base:
        _learn_anywhere(hlm, places, values, lo, hi, decay, step)
    elif hlm.mirror.on:
        for k in range(np.uint64(hi - lo)):
            slot = np.uint64(places[k])
            word = (slot << _1) + _1
            weight = (decay * hlm.base.weights[word]) + (step * values[np.uint64(lo) + k])
            hlm.base.weights[word] = weight
            hlm.base.dirty[word >> _BLOCK_WORD_BITS] = 1
            hlm.mirror.weights[(np.uint64(hlm.mirror.forward[slot]) << _1) + _1] = weight
    else:
        for k in range(np.uint64(hi - lo)):
            word = (np.uint64(places[k]) << _1) + _1
            hlm.base.weights[word] = (decay * hlm.base.weights[word]) + (
                step * values[np.uint64(lo) + k]
            )
            hlm.base.dirty[word >> _BLOCK_WORD_BITS] = 1
    if rules.intercept:
        hlm.params[BIAS] += step
