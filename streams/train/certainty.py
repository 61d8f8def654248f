"""Fits the calibration of partial verdicts on generated development streams.

    python -m streams.train.certainty --data data --folder operators/dlp/model --streams 600

Scores by how many tokens have been read, spans of the network by how many have come after them: a
temperature and a shift each (`operators.hierarchy.certainty`). Writes ``certainty.json`` and seals
the folder anew. The streams are others than those of ``weir eval streams``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from operators.dlp.calibration import fit
from operators.dlp.fuse import Origin
from operators.dlp.tags import SCORES
from operators.hierarchy.buffer import BufferConfig
from operators.hierarchy.certainty import AFTER, READ, Certainty, logit, range_of
from streams.dlp import development
from streams.dlp.inference import Engine
from streams.dlp.package import Package, seal
from streams.dlp.policy_file import load as load_policy
from streams.dlp.scanner import Scanner
from streams.hierarchy.above import CERTAINTY
from streams.hierarchy.evaluation import followed, right_so_far
from streams.hierarchy.following import Reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.hierarchy.evaluation import Followed

SEEDS: Final = 1 << 32
TURN: Final = 0.44
"""Chance with the best F1 of topic shifts on development streams (`streams.train.levels`)."""
_LEAST: Final = 50
_NEUTRAL: Final = (1.0, 0.0)


def fitted(every: Sequence[Followed]) -> Certainty:
    """The calibration with the least log loss on what was found on the way."""
    logits: list[list[np.ndarray]] = [[] for _ in READ]
    labels: list[list[np.ndarray]] = [[] for _ in READ]
    sure: list[list[float]] = [[] for _ in AFTER]
    right: list[list[bool]] = [[] for _ in AFTER]
    for one in every:
        for seen, truth in zip(one.seen, one.labels, strict=True):
            place = range_of(READ, seen.read)
            logits[place].append(seen.logits)
            labels[place].append(truth)
            for span, after in zip(seen.spans, seen.after, strict=True):
                if span.origin is Origin.MODEL:
                    sure[range_of(AFTER, after)].append(logit(span.confidence))
                    right[range_of(AFTER, after)].append(right_so_far(span, one.truth, seen.place))
    scores = [
        [_fit(np.array(found)[:, place], np.array(true)[:, place]) for place in range(len(SCORES))]
        for found, true in zip(logits, labels, strict=True)
    ]
    spans = [_fit(np.array(found), np.array(true)) for found, true in zip(sure, right, strict=True)]
    return Certainty(np.array(scores), np.array(spans), TURN)


def _fit(logits: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """None where there is nothing to fit on."""
    rarer = min(int(labels.sum()), len(labels) - int(labels.sum()))
    return fit(logits, labels) if rarer >= _LEAST else _NEUTRAL


def main() -> None:
    """Read streams, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="with pools.xz and carriers.xz")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--streams", type=int, default=600)
    options = parser.parse_args()
    package = Package.open(options.folder)
    engine = Engine(package.folder)
    reader = Reader(package, engine, BufferConfig())
    scanner = Scanner(package, engine, load_policy())
    _, source = development.both(options.data, reader.tokenizer)
    seeds = range(SEEDS, SEEDS + options.streams)
    found = fitted(list(followed(source, reader, scanner, seeds)))
    text = json.dumps(found.to_json(), indent=1) + "\n"
    (options.folder / CERTAINTY).write_text(text, encoding="utf-8")
    seal(options.folder, package.version, package.size)
    print(text)


if __name__ == "__main__":
    main()
