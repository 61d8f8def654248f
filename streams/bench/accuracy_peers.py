"""River's and Vowpal Wabbit's linear models, at their documented settings, event by event.

River: the models of ``river.linear_model`` with their default parameters. Vowpal Wabbit: its
default learner (adaptive, normalised and invariant gradient descent, ``-l 0.5``), with the loss of
the task, and ``--oaa`` for classes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import vowpalwabbit
from river import linear_model, multiclass

from streams.bench.accuracy_streams import BINARY, MULTICLASS, REGRESSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from streams.bench.accuracy_streams import Floats, Stream


def _binary(make: Callable[[], Any]) -> Callable[[Stream], Floats]:
    def predict(stream: Stream) -> Floats:
        model, found = make(), []
        for x, y in zip(stream.rows, stream.labels.tolist(), strict=True):
            found.append(model.predict_proba_one(x).get(True, 0.5))
            model.learn_one(x, y == 1.0)
        return np.array(found)[:, np.newaxis]

    return predict


def _classes(make: Callable[[], Any]) -> Callable[[Stream], Floats]:
    def predict(stream: Stream) -> Floats:
        model, found = make(), []
        for x, y in zip(stream.rows, stream.labels.astype(int).tolist(), strict=True):
            shares = model.predict_proba_one(x)
            found.append([shares.get(k, 0.0) for k in range(stream.classes)])
            model.learn_one(x, y)
        return np.array(found)

    return predict


def _values(make: Callable[[], Any]) -> Callable[[Stream], Floats]:
    def predict(stream: Stream) -> Floats:
        model, found = make(), []
        for x, y in zip(stream.rows, stream.labels.tolist(), strict=True):
            found.append(model.predict_one(x))
            model.learn_one(x, y)
        return np.array(found)[:, np.newaxis]

    return predict


def _wabbit(options: str) -> Callable[[Stream], Floats]:
    def predict(stream: Stream) -> Floats:
        of_classes = f"--oaa {stream.classes} --probabilities" if stream.classes > 2 else ""  # noqa: PLR2004
        peer = vowpalwabbit.Workspace(f"--quiet {options} {of_classes}")
        found = []
        for x, y in zip(stream.rows, stream.labels.tolist(), strict=True):
            features = " ".join(f"{name}:{value:.9g}" for name, value in x.items())
            found.append(np.atleast_1d(peer.predict(f"| {features}")))
            peer.learn(f"{_label(stream, y)} | {features}")
        peer.finish()
        return np.array(found, np.float64)

    return predict


def _label(stream: Stream, y: float) -> str:
    if stream.task == BINARY:
        return "1" if y == 1.0 else "-1"
    return str(int(y) + 1) if stream.task == MULTICLASS else f"{y:.9g}"


PEERS = MappingProxyType(
    {
        BINARY: {
            "river LogisticRegression": _binary(linear_model.LogisticRegression),
            "river ALMAClassifier": _binary(linear_model.ALMAClassifier),
            "vw": _wabbit("--loss_function logistic --link logistic"),
        },
        MULTICLASS: {
            "river OneVsRest(LogisticRegression)": _classes(
                lambda: multiclass.OneVsRestClassifier(linear_model.LogisticRegression())
            ),
            "river SoftmaxRegression": _classes(linear_model.SoftmaxRegression),
            "vw": _wabbit("--loss_function logistic"),
        },
        REGRESSION: {
            "river LinearRegression": _values(linear_model.LinearRegression),
            "river PARegressor": _values(linear_model.PARegressor),
            "vw": _wabbit("--loss_function squared"),
        },
    }
)
"""Contenders of each task: what they predict for a stream, learning it from nothing."""
