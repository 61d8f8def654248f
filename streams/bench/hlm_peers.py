"""River and Vowpal Wabbit on the events that Hlm is measured on."""

from __future__ import annotations

import importlib
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from schemas.errors import ConfigError

if TYPE_CHECKING:
    from streams.bench.hlm_events import Events

OPTIONS = (
    "--quiet --sgd --power_t 0 -l 0.0005 --loss_function classic -b 18 "
    "--min_prediction -1e9 --max_prediction 1e9 --no_stdin"
)
"""Plain gradient descent, as Hlm's; 2^18 places for 10^4 ids."""


class Peers:
    """Both peers with their events ready, so that only learning is timed.

    Args:
        events: what to learn.
        river_events: of these, how many River learns; it is slow.

    Raises:
        ConfigError: Vowpal Wabbit is not installed (it is with ``make install``).
    """

    def __init__(self, events: Events, river_events: int) -> None:
        rows = [slice(lo, hi) for lo, hi in pairwise(events.indptr.tolist())]
        self._labels = events.labels.tolist()
        self._dicts = [
            dict(
                zip(
                    events.places[row].tolist(),
                    events.values[row].tolist(),
                    strict=True,
                )
            )
            for row in rows[:river_events]
        ]
        try:
            module: Any = importlib.import_module("vowpalwabbit")
            self._native: Any = importlib.import_module("pylibvw")
        except ImportError as error:
            raise ConfigError(
                "weir bench hlm compares with Vowpal Wabbit: install the development requirements "
                "(make install)"
            ) from error
        self._peer = module.Workspace(OPTIONS)
        self._examples = []
        for row, label in zip(rows, self._labels, strict=True):
            pairs = zip(events.places[row].tolist(), events.values[row].tolist(), strict=True)
            text = " ".join(f"{i}:{x:.6g}" for i, x in pairs)
            self._examples.append(self._peer.parse(f"{label:.6g} | {text}"))

    def vowpal_wabbit(self) -> float:
        """Events a second, learnt from parsed examples that stay in memory.

        The loop is in Python, the call is the binding's own; what as many calls cost that do
        nothing is taken off.
        """
        learn, nothing = self._native.vw.learn, self._native.example.get_ft_offset
        peer, examples = self._peer, self._examples
        began = time.perf_counter()
        for example in examples:
            learn(peer, example)
        learnt = time.perf_counter()
        for example in examples:
            nothing(example)
        return len(examples) / ((learnt - began) - (time.perf_counter() - learnt))

    def river(self) -> float:
        """Events a second of ``predict_one`` and ``learn_one``."""
        linear_model = importlib.import_module("river.linear_model")
        optim = importlib.import_module("river.optim")
        model = linear_model.LinearRegression(optimizer=optim.SGD(0.0005), intercept_lr=0.0005)
        pairs = list(zip(self._dicts, self._labels, strict=False))
        began = time.perf_counter()
        for features, label in pairs:
            model.predict_one(features)
            model.learn_one(features, label)
        return len(pairs) / (time.perf_counter() - began)
