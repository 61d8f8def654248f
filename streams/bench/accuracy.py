"""``weir bench accuracy``: progressive error of the fused learner, its halves, and peers.

Each event is predicted before it is learnt from, and errors are averaged over the whole stream.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from operators.fusion.cell import Cell, CellConfig, Seeds
from operators.hlm.config import HlmConfig
from operators.hlm.model import Hlm
from operators.sera.config import SeraConfig
from operators.sera.sera import Sera
from schemas.errors import ConfigError
from streams.bench.accuracy_streams import BINARY, MULTICLASS, REGRESSION, as_events, streams
from streams.bench.measured import LABEL_UNITS, NATS, SHARE_WRONG, Measured, measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operators.batch import EventBatch
    from streams.bench.accuracy_streams import Floats, Stream

BENCH = "accuracy"
SEEDS = Seeds(prf=21, prf_version=1, hash_salt=42, hash_version=1)
LEAST = 1e-6
"""Probabilities are kept so far from 0 and 1, whoever's they are."""


class Scores(NamedTuple):
    """Mean errors over a stream.

    Attributes:
        loss: log loss of the right class; in regression the root mean squared error.
        error: share of wrong classes; in regression the mean absolute error.
    """

    loss: float
    error: float


def run_accuracy(say: Callable[[str], None]) -> Iterator[Measured]:
    """Yield loss and error of the fused learner on each stream, against every contender.

    Args:
        say: told what is being measured.

    Raises:
        ConfigError: River or Vowpal Wabbit is not installed.
    """
    try:
        from streams.bench.accuracy_peers import PEERS  # noqa: PLC0415 - of development only
    except ImportError as error:
        raise ConfigError(
            "weir bench accuracy compares with River and Vowpal Wabbit: install the development "
            "requirements (make install)"
        ) from error
    for stream in streams():
        say(stream.name)
        scores = ours(stream)
        scores |= {name: scored(stream, peer(stream)) for name, peer in PEERS[stream.task].items()}
        fused = scores.pop("fused")
        for name, other in scores.items():
            params: dict[str, Any] = {"data": stream.name, "events": len(stream.labels)}
            for (metric, unit), mine, theirs in zip(
                METRICS[stream.task], fused, other, strict=True
            ):
                yield measured(BENCH, metric, unit, [mine], params, name, [theirs])


_OF_CLASSES = (("log_loss", NATS), ("error_rate", SHARE_WRONG))
METRICS: Final = MappingProxyType(
    {
        BINARY: _OF_CLASSES,
        MULTICLASS: _OF_CLASSES,
        REGRESSION: (("rmse", LABEL_UNITS), ("mae", LABEL_UNITS)),
    }
)
"""Names and units of the two scores, by task."""

LINEAR_ALONE, ATTENTION_ALONE = "linear_alone", "attention_alone"


def config_for(stream: Stream) -> CellConfig:
    """The cell's settings: defaults but for the link, the keys' length and the prior."""
    logistic = stream.task != REGRESSION
    d = len({name for row in stream.rows for name in row})
    prior = {BINARY: 0.5, MULTICLASS: 1.0 / max(stream.classes, 1), REGRESSION: 0.0}[stream.task]
    return CellConfig(
        hlm=HlmConfig(link="logistic" if logistic else "identity"),
        sera=SeraConfig(d=d, prior=prior),
    )


def ours(stream: Stream) -> dict[str, Scores]:
    """Scores of the fused learner and of each of its halves, trained alone."""
    config = config_for(stream)
    predicted: dict[str, list[Floats]] = {"fused": [], LINEAR_ALONE: [], ATTENTION_ALONE: []}
    for target in targets_of(stream):
        batch = as_events(stream, target)
        predicted["fused"].append(Cell(config, SEEDS).step_batch(batch)["y_hat"])
        predicted[LINEAR_ALONE].append(linear_alone(config, batch))
        predicted[ATTENTION_ALONE].append(attention_alone(config, batch))
    return {name: scored(stream, np.array(p).T) for name, p in predicted.items()}


def targets_of(stream: Stream) -> list[Floats]:
    """What cells learn of a stream: its labels, or for each of several classes whether it is it."""
    if stream.task != MULTICLASS:
        return [stream.labels]
    return [(stream.labels == k).astype(np.float64) for k in range(stream.classes)]


def linear_alone(config: CellConfig, batch: EventBatch) -> Floats:
    """What Hlm predicts without the rest."""
    hlm = Hlm(config.hlm, SEEDS.hash_salt)
    return hlm.step_batch(batch.indptr, batch.ids, batch.values, batch.label)


def attention_alone(config: CellConfig, batch: EventBatch) -> Floats:
    """What Sera reads out without the rest, kept a probability where that is due."""
    y = Sera(config.sera, SEEDS.prf).step_batch(batch.key, batch.label[:, np.newaxis]).y[:, 0]
    return np.clip(y, LEAST, 1.0 - LEAST) if config.logistic else y


def scored(stream: Stream, p: Floats) -> Scores:
    """Scores of predictions.

    Args:
        stream: what was predicted.
        p: float64[n, k]: a value; the probability of class 1; or weights of the classes.
    """
    y = stream.labels
    if stream.task == REGRESSION:
        e = y - p[:, 0]
        return Scores(float(np.sqrt(np.mean(e * e))), float(np.mean(np.abs(e))))
    if stream.task == BINARY:
        q = np.clip(p[:, 0], LEAST, 1.0 - LEAST)
        right = np.where(y == 1.0, q, 1.0 - q)
        wrong = q.round() != y
        return Scores(float(-np.mean(np.log(right))), float(np.mean(wrong)))
    shares = np.clip(p, LEAST, None)
    shares /= shares.sum(axis=1, keepdims=True)
    right = shares[np.arange(len(y)), y.astype(int)]
    wrong = shares.argmax(axis=1) != y
    return Scores(float(-np.mean(np.log(right))), float(np.mean(wrong)))
