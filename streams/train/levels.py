"""Trains the levels above the tokens on a trained network, which stays as it is.

    python -m streams.train.levels --data data --pieces out/base.0.pt,… --out out

Without pieces the weights are those that the shipped model has in eight bits.
``--tokenizer`` and ``--size`` are as for `streams.train.run`. Writes ``levels.npz``, which
`operators.hierarchy.levels.Weights.from_arrays` reads, and ``levels.jsonl`` with the loss by step
and, at the end, figures of development documents: average precision of each score by tenth of the
document that had been read, and of the topic classifier.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from operators.dlp.network.config import SIZES
from operators.dlp.network.levels import Ends, Levels, level_loss
from operators.dlp.network.model import Network
from operators.dlp.scoring import average_precision
from operators.dlp.tags import SCORES
from operators.dlp.tokenizer import Tokenizer
from streams.dlp import development, package
from streams.train import checkpoint, unpack
from streams.train.levels_data import Document, documents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operators.dlp.generator.rows import Source

_LOG_EVERY: Final = 20
_DEV_STEP: Final = 1 << 19
_TENTHS: Final = 10
_source: Source


def main() -> None:
    """Train, write, evaluate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="with pools.xz and carriers.xz")
    parser.add_argument("--tokenizer", type=Path, default=package.SHIPPED / "tokenizer.model")
    parser.add_argument("--pieces", default="", help="of the trained network, comma-separated")
    parser.add_argument("--size", default="base", choices=sorted(SIZES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rows", type=int, default=128, help="documents of a step")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--width", type=int, default=128, help="of the levels")
    parser.add_argument("--dev", type=int, default=8, help="development steps")
    parser.add_argument("--workers", type=int, default=0, help="processes that make documents")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, dev = development.both(options.data, Tokenizer(options.tokenizer.read_bytes()))
    network = Network(SIZES[options.size])
    if options.pieces:
        checkpoint.import_pieces(network, map(Path, options.pieces.split(",")))
    else:
        unpack.restore(network, package.SHIPPED)
    network.to(device).eval().requires_grad_(requires_grad=False)
    torch.manual_seed(1)
    levels = Levels(network.config.width, options.width).to(device)
    optimizer = torch.optim.AdamW(levels.parameters(), lr=options.rate, betas=(0.9, 0.95))
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "levels.jsonl").open("w", encoding="utf-8") as log:
        rows = _rows(train, range(options.steps), options.rows, options.workers)
        for step, made in enumerate(rows, 1):
            share = min(1.0, step / 50) * (1 + math.cos(math.pi * step / options.steps)) / 2
            optimizer.param_groups[0]["lr"] = options.rate * share
            hidden, ends, labels = _batch(network, made, device)
            loss, parts = level_loss(levels(hidden, ends), labels, ends)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(levels.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if step % _LOG_EVERY == 0 or step == options.steps:
                entry = {name: round(float(part), 5) for name, part in parts.items()}
                print(json.dumps(entry | {"step": step}), file=log, flush=True)
        levels.eval()
        steps = range(_DEV_STEP, _DEV_STEP + options.dev)
        held = (_batch(network, made, device) for made in _rows(dev, steps, options.rows, 0))
        figures = evaluate(levels, held)
        print(json.dumps(figures), file=log)
    arrays = {name: value.cpu().numpy() for name, value in levels.state_dict().items()}
    np.savez(options.out / "levels.npz", **{k: v.astype(np.float16) for k, v in arrays.items()})
    print(json.dumps(figures, indent=1))


@torch.no_grad()
def evaluate(
    levels: Levels, batches: Iterator[tuple[torch.Tensor, Ends, torch.Tensor]]
) -> dict[str, Any]:
    """Average precision of each score by tenth of the document read, and of topic shifts."""
    scores, truths, tenths, shifts, topics = [], [], [], [], []
    for hidden, ends, labels in batches:
        out = levels(hidden, ends)
        there = ends.there
        order = torch.arange(there.shape[1], device=there.device)
        share = order[None] * _TENTHS // there.sum(1, keepdim=True).clamp(min=1)
        scores.append(out.scores[there].cpu().numpy())
        truths.append(labels[there].cpu().numpy())
        tenths.append(share[there].cpu().numpy())
        follows = there & (order > 0)
        shifts.append(out.shifts[follows].cpu().numpy())
        topics.append(ends.topic[follows].cpu().numpy())
    every, truth, tenth = np.concatenate(scores), np.concatenate(truths) > 0, np.concatenate(tenths)
    found: dict[str, Any] = {
        name: [
            round(average_precision(every[tenth == one, place], truth[tenth == one, place]), 4)
            for one in range(_TENTHS)
        ]
        for place, name in enumerate(SCORES)
    }
    found["topic"] = round(average_precision(np.concatenate(shifts), np.concatenate(topics)), 4)
    return found


def _rows(source: Source, steps: range, rows: int, workers: int) -> Iterator[list[Document]]:
    if not workers:
        for step in steps:
            yield documents(source, step, rows)
        return
    global _source  # noqa: PLW0603 - workers are forked and find it there
    _source = source
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_work, steps, [rows] * len(steps))


def _work(step: int, rows: int) -> list[Document]:
    return documents(_source, step, rows)


@torch.no_grad()
def _batch(
    network: Network, made: list[Document], device: torch.device
) -> tuple[torch.Tensor, Ends, torch.Tensor]:
    """What the network makes of documents, in causal mode, and where things end in them."""
    columns = [torch.from_numpy(np.stack(parts)).to(device) for parts in zip(*made, strict=True)]
    ids, sentence, paragraph, topic, there, labels = columns
    state = network.slow.start(torch.zeros(len(ids), network.config.memory, device=device))
    with torch.autocast(device.type, torch.bfloat16):
        hidden = network(ids, ids != 0, state, True).hidden
    return hidden.float(), Ends(sentence, paragraph, topic, there), labels


if __name__ == "__main__":
    main()
