"""Fits the calibration of partial verdicts on development streams.

    python -m streams.train.certainty --data data --prefixes out/dev.npz --folder MODEL

Scores by how many tokens have been read, on the prefixes that `streams.train.levels` leaves; spans
of the network by how many tokens have come after them, on streams read as a worker reads them: a
temperature and a shift each (`operators.hierarchy.certainty`). Writes ``certainty.json`` and seals
the folder anew. The streams are others than those of ``weir eval streams``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from streams.hierarchy.evaluation import Followed

SEEDS: Final = 1 << 32
TURN: Final = 0.44
"""Chance with the best F1 of topic shifts on development streams (`streams.train.levels`)."""
_LEAST: Final = 30
_PREFIXES: Final = 6_000
_NEUTRAL: Final = (1.0, 0.0)


def scores(prefixes: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Temperature and shift of each score with the least log loss, by tokens read: [4, 4, 2]."""
    chance = np.random.default_rng(0)
    ranges = np.searchsorted(READ, prefixes["read"], side="right") - 1
    found = []
    for number in range(len(READ)):
        inside = chance.permutation(np.flatnonzero(ranges == number))[:_PREFIXES]
        logits, labels = prefixes["whole"][inside], prefixes["labels"][inside]
        found.append([_fit(logits[:, place], labels[:, place]) for place in range(len(SCORES))])
    return np.array(found)


def spans(every: Sequence[Followed]) -> NDArray[np.float64]:
    """The same of the network's spans, by tokens after them: [3, 2]."""
    sure: list[list[float]] = [[] for _ in AFTER]
    right: list[list[bool]] = [[] for _ in AFTER]
    for one in every:
        for seen in one.seen:
            for span, after in zip(seen.spans, seen.after, strict=True):
                if span.origin is Origin.MODEL:
                    number = range_of(AFTER, after)
                    sure[number].append(logit(span.confidence))
                    right[number].append(right_so_far(span, one.truth, seen.place))
    return np.array(
        [_fit(np.array(found), np.array(true)) for found, true in zip(sure, right, strict=True)]
    )


def _fit(logits: NDArray[np.floating], labels: NDArray[np.bool_]) -> tuple[float, float]:
    """None of either where there is too little to fit on."""
    rarer = min(int(labels.sum()), len(labels) - int(labels.sum()))
    return fit(logits, labels) if rarer >= _LEAST else _NEUTRAL


def main() -> None:
    """Read streams, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="with pools.xz and carriers.xz")
    parser.add_argument("--prefixes", type=Path, required=True, help="dev.npz of the levels' run")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--streams", type=int, default=400)
    options = parser.parse_args()
    package = Package.open(options.folder)
    engine = Engine(package.folder)
    reader = Reader(package, engine, BufferConfig())
    scanner = Scanner(package, engine, load_policy())
    _, source = development.both(options.data, reader.tokenizer)
    seeds = range(SEEDS, SEEDS + options.streams)
    with np.load(options.prefixes) as prefixes:
        of_scores = scores(prefixes)
    of_spans = spans(list(followed(source, reader, scanner, seeds)))
    found = Certainty(of_scores, of_spans, TURN)
    text = json.dumps(found.to_json(), indent=1) + "\n"
    (options.folder / CERTAINTY).write_text(text, encoding="utf-8")
    seal(options.folder, package.version, package.size)
    print(text)


if __name__ == "__main__":
    main()
