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

**Compensated** (Neumaier; ``error`` is the rounding error of a sum, by TwoSum):

    score = bias;  c = 0
    for each known id in turn: s = w * x;  c = c + error(score + s);  score = score + s
    score = score + c

**AdaGrad** (Duchi et al., 2011), each weight with the sum G of its squared gradients:

    for each feature in turn: g = e * x;  G = G + (g * g)
                              w = (decay * w) + ((lr * g) / (sqrt(G) + EPSILON))

and the same for the bias, whose x is 1 and which does not decay.

**Single**: the rule itself with every operation, rates included, rounded to float32.

**River** (its linear regression with squared loss and SGD; the same rule with twice the gradient,
in another order):

    score = 0;  for each known id in turn: score = score + (w * x);  score = score + bias
    g     = -2 * e
    for each feature in turn: w = w - (lr * ((g * x) + (l2 * w)))
    bias  = bias - (lr * g)

Functions take the fields of ``hlm`` apart before they loop: numba counts references at every access
to one, and a hundred atomic operations are a microsecond.

The references in operators/hlm/reference.py say the same in plain Python.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from operators.compiled import inlined, kernel
from operators.hlm.layout import (
    ACTIVE,
    BIAS,
    BIAS_SQUARES,
    BLOCK_WORD_BITS,
    FROZEN,
    HlmArrays,
    Rules,
)
from operators.numerics import add_error, sigmoid

EPSILON = 1e-8
"""Keeps AdaGrad from dividing by zero."""

_1, _2 = np.uint64(1), np.uint64(2)
_BLOCK_WORD_BITS = np.uint64(BLOCK_WORD_BITS)
_FROZEN, _ACTIVE = np.uint64(FROZEN), np.uint64(ACTIVE)

Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


@inlined
def link_of(hlm: HlmArrays, score: float) -> float:
    """Prediction for a raw score: the score itself, or its logistic function."""
    return sigmoid(score) if hlm.rules.logistic else score


@inlined
def _read(
    base: Floats, frozen: Floats, active: Floats, place: int, shift: np.uint64, which: np.uint64
) -> float:
    """Learnt word ``which`` (1: weight, 2: squares) of a place that is not ``ABSENT``."""
    if place < FROZEN:
        return float(base[(np.uint64(place) << shift) + which])
    if place < ACTIVE:
        return float(frozen[((np.uint64(place) - _FROZEN) << shift) + which])
    return float(active[((np.uint64(place) - _ACTIVE) << shift) + which])


@kernel
def weights_at(hlm: HlmArrays, places: Ints, out: Floats) -> None:
    """Weight at each place; 0 where it is ``ABSENT``. ``out`` may be longer."""
    base, frozen, active = hlm.base.weights, hlm.frozen.weights, hlm.active.weights
    shift = np.uint64(hlm.rules.word_bits)
    for k in range(places.shape[0]):
        out[k] = _read(base, frozen, active, places[k], shift, _1) if places[k] >= 0 else 0.0


@inlined
def _store(
    base: Floats,
    frozen: Floats,
    active: Floats,
    base_dirty: Bytes,
    frozen_dirty: Bytes,
    active_dirty: Bytes,
    mirror_on: int,
    mirror: Floats,
    forward: npt.NDArray[np.uint32],
    keys: np.uint64,
    shift: np.uint64,
    place: int,
    weight: float,
    squares: float,
    adagrad: int,
) -> None:
    """Store what was learnt at a place that is not ``ABSENT``; squares only where they are kept."""
    if place >= ACTIVE:
        word = (np.uint64(place) - _ACTIVE) << shift
        active[word + _1] = weight
        if adagrad:
            active[word + _2] = squares
        active_dirty[word >> _BLOCK_WORD_BITS] = 1
        return
    slot = np.uint64(place)
    if place >= FROZEN:
        slot -= _FROZEN
        word = slot << shift
        frozen[word + _1] = weight
        if adagrad:
            frozen[word + _2] = squares
        frozen_dirty[word >> _BLOCK_WORD_BITS] = 1
        slot += keys
    else:
        word = slot << shift
        base[word + _1] = weight
        if adagrad:
            base[word + _2] = squares
        base_dirty[word >> _BLOCK_WORD_BITS] = 1
    if mirror_on:
        word = np.uint64(forward[slot]) << shift
        mirror[word + _1] = weight
        if adagrad:
            mirror[word + _2] = squares


@kernel
def add_to_weights(hlm: HlmArrays, places: Ints, values: Floats, step: float) -> None:
    """Add ``step`` times its value to the weight at each place that is not ``ABSENT``."""
    base, frozen, active = hlm.base.weights, hlm.frozen.weights, hlm.active.weights
    base_dirty, frozen_dirty = hlm.base.dirty, hlm.frozen.dirty
    active_dirty = hlm.active.dirty
    mirror_on, mirror, forward = hlm.mirror.on, hlm.mirror.weights, hlm.mirror.forward
    keys = np.uint64(hlm.base.keys)
    shift = np.uint64(hlm.rules.word_bits)
    for k in range(places.shape[0]):
        place = places[k]
        if place < 0:
            continue
        weight = _read(base, frozen, active, place, shift, _1) + step * values[k]
        _store(
            base, frozen, active, base_dirty, frozen_dirty, active_dirty, mirror_on, mirror,
            forward, keys, shift, place, weight, 0.0, 0,
        )  # fmt: skip


@kernel
def score_places(hlm: HlmArrays, places: Ints, values: Floats, lo: int, hi: int) -> float:
    """Raw score of an event whose ids are at ``places``."""
    base, frozen, active = hlm.base.weights, hlm.frozen.weights, hlm.active.weights
    shift = np.uint64(hlm.rules.word_bits)
    score: float = hlm.params[BIAS]
    if hlm.rules.single:
        single = np.float32(score)
        for k in range(hi - lo):
            if places[k] >= 0:
                weight = np.float32(_read(base, frozen, active, places[k], shift, _1))
                single = np.float32(single + np.float32(weight * np.float32(values[lo + k])))
        return float(single)
    if hlm.rules.compensated:
        residual = 0.0
        for k in range(hi - lo):
            if places[k] >= 0:
                product = _read(base, frozen, active, places[k], shift, _1) * values[lo + k]
                residual += add_error(score, product)
                score += product
        return score + residual
    if hlm.rules.river:
        score = 0.0
    for k in range(hi - lo):
        if places[k] >= 0:
            score += _read(base, frozen, active, places[k], shift, _1) * values[lo + k]
    return score + hlm.params[BIAS] if hlm.rules.river else score


@inlined
def _learnt(
    rules: Rules,
    weight: float,
    squares: float,
    x: float,
    e: float,
    decay: float,
    step: float,
    lr: float,
) -> tuple[float, float]:
    """New weight and new sum of squares of one feature."""
    if rules.single:
        kept = np.float32(np.float32(decay) * np.float32(weight))
        moved = np.float32(np.float32(step) * np.float32(x))
        return float(np.float32(kept + moved)), 0.0
    if rules.adagrad:
        g = e * x
        squares += g * g
        return decay * weight + (lr * g) / (math.sqrt(squares) + EPSILON), squares
    if rules.river:
        return weight - (lr * ((step * x) + (decay * weight))), 0.0
    return (decay * weight) + (step * x), 0.0


@inlined
def factors_of(rules: Rules, e: float, lr: float, l2: float) -> tuple[float, float]:
    """Decay and step of an event with error ``e``; in River's order its l2 and its gradient."""
    if rules.single:
        product = np.float32(np.float32(lr) * np.float32(l2))
        decay = np.float32(np.float32(1.0) - product)
        return float(decay), float(np.float32(np.float32(lr) * np.float32(e)))
    if rules.river:
        return l2, -2.0 * e
    return 1.0 - lr * l2, lr * e


@inlined
def learn_bias(rules: Rules, params: Floats, e: float, step: float, lr: float) -> None:
    """Learn the bias, whose value is 1 in every event."""
    if not rules.intercept:
        return
    if rules.single:
        params[BIAS] = float(np.float32(np.float32(params[BIAS]) + np.float32(step)))
    elif rules.river:
        params[BIAS] -= lr * step
    elif rules.adagrad:
        params[BIAS_SQUARES] += e * e
        params[BIAS] += (lr * e) / (math.sqrt(params[BIAS_SQUARES]) + EPSILON)
    else:
        params[BIAS] += step


@kernel
def learn_places(
    hlm: HlmArrays, places: Ints, values: Floats, lo: int, hi: int, e: float, lr: float, l2: float
) -> None:
    """Learn an event whose ids are at ``places``, wherever these are and by whichever rule."""
    rules = hlm.rules
    base, frozen, active = hlm.base.weights, hlm.frozen.weights, hlm.active.weights
    base_dirty, frozen_dirty = hlm.base.dirty, hlm.frozen.dirty
    active_dirty = hlm.active.dirty
    mirror_on, mirror, forward = hlm.mirror.on, hlm.mirror.weights, hlm.mirror.forward
    keys = np.uint64(hlm.base.keys)
    shift = np.uint64(rules.word_bits)
    decay, step = factors_of(rules, e, lr, l2)
    for k in range(hi - lo):
        place = places[k]
        if place < 0:
            continue
        squares = 0.0
        if rules.adagrad:
            squares = _read(base, frozen, active, place, shift, _2)
        weight = _read(base, frozen, active, place, shift, _1)
        weight, squares = _learnt(rules, weight, squares, values[lo + k], e, decay, step, lr)
        _store(
            base, frozen, active, base_dirty, frozen_dirty, active_dirty, mirror_on, mirror,
            forward, keys, shift, place, weight, squares, rules.adagrad,
        )  # fmt: skip
    learn_bias(rules, hlm.params, e, step, lr)
