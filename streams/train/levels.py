"""Trains what stands above the tokens of a trained network, which stays as it is.

    python -m streams.train.levels --data data --pieces out/base.0.pt,… --out out

The levels (sentence, paragraph, topic, document), the topic classifier and the lookahead of tags.
Without pieces the weights are those that the shipped model has in eight bits. ``--tokenizer`` and
``--size`` are as for `streams.train.run`. Writes ``hierarchy.npz``, ``levels.jsonl`` with the loss
by step, and ``figures.json`` with figures of development streams (`streams.train.levels_figures`).
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from operators.dlp.network.config import SIZES
from operators.dlp.network.levels import Ends, Levels, level_loss, topic_loss
from operators.dlp.network.lookahead import Lookahead
from operators.dlp.network.losses import tag_loss
from operators.dlp.network.model import Network
from operators.dlp.network.topics import Topics
from operators.dlp.tokenizer import Tokenizer
from operators.hierarchy.lookahead import AHEAD
from streams.dlp import development, package
from streams.train import checkpoint, unpack
from streams.train.levels_data import Document, documents
from streams.train.levels_figures import figures
from streams.train.prefixes import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operators.dlp.generator.rows import Source

_LOG_EVERY: Final = 20
_DEV_STEP: Final = 1 << 19
_STRIDES: Final = (256, 320, 384)
"""Tokens between the beginnings of segments: a flush cuts at a sentence's end."""
_WARM: Final = 50
_source: Source


class Batch(NamedTuple):
    """What a step learns from.

    Attributes:
        hidden: last representations, float32 [batch, tokens, width].
        spans: tag logits, float32 [batch, tokens, 21].
        scores: document logits of segments, float32 [batch, sentences, 2, 4].
        tags: int64 [batch, tokens].
        valid: bool [batch, tokens].
        seen: tokens after each one that are known, int64 [batch, tokens].
        guessed: rows whose topics end as the classifier says, bool [batch].
        labels: float32 [batch, sentences, 2, 4].
        ends: where things end.
    """

    hidden: Tensor
    spans: Tensor
    scores: Tensor
    tags: Tensor
    valid: Tensor
    seen: Tensor
    guessed: Tensor
    labels: Tensor
    ends: Ends


class Above(nn.Module):
    """What is trained."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.levels = Levels(tokens, width)
        self.topics = Topics(tokens)
        self.lookahead = Lookahead(tokens)

    def forward(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and its parts."""
        shifts = self.shifts(batch)
        scores = self.levels(batch.hidden, batch.scores, self.ends(batch, shifts)).scores
        tags = self.lookahead(batch.hidden, batch.spans, batch.seen)
        parts = {
            "prefix": level_loss(scores, batch.labels, batch.ends.there),
            "topic": topic_loss(shifts, batch.ends),
            "tags": tag_loss(tags, batch.tags, batch.valid),
        }
        loss = sum(parts.values(), torch.zeros((), device=tags.device))
        return loss, {name: part.detach() for name, part in parts.items()}

    def shifts(self, batch: Batch) -> Tensor:
        """Logits of the topic classifier, [batch, sentences]."""
        found: Tensor = self.topics(batch.hidden, batch.ends.sentence, batch.ends.there.shape[1])
        return found

    @staticmethod
    def ends(batch: Batch, shifts: Tensor) -> Ends:
        """Where things end, for some rows as the topic classifier says."""
        guessed = shifts > 0
        guessed[:, :2] = False
        topic = torch.where(batch.guessed[:, None], guessed, batch.ends.topic)
        return batch.ends._replace(topic=topic)


def main() -> None:
    """Train, write, evaluate."""
    options = _options()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, dev = development.both(options.data, Tokenizer(options.tokenizer.read_bytes()))
    network = Network(SIZES[options.size])
    if options.pieces:
        checkpoint.import_pieces(network, map(Path, options.pieces.split(",")))
    else:
        unpack.restore(network, package.SHIPPED)
    network.to(device).eval().requires_grad_(requires_grad=False)
    torch.manual_seed(1)
    above = Above(network.config.width, options.width).to(device)
    options.out.mkdir(parents=True, exist_ok=True)
    _train(network, above, train, options, device)
    above.eval()
    arrays = {key: value.cpu().numpy() for key, value in above.state_dict().items()}
    halves = {key: value.astype(np.float16) for key, value in arrays.items()}
    np.savez(options.out / "hierarchy.npz", **halves)
    above.load_state_dict({key: torch.from_numpy(value) for key, value in halves.items()})
    steps = range(_DEV_STEP, _DEV_STEP + options.dev)
    rows = _rows(dev, steps, options.rows, options.workers)
    held = (_batch(network, made, step, device, serving=True) for step, made in enumerate(rows))
    found = figures(above, held, options.out / "dev.npz")
    (options.out / "figures.json").write_text(json.dumps(found, indent=1))
    print(json.dumps(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=None, help="with pools.xz and carriers.xz")
    parser.add_argument("--tokenizer", type=Path, default=package.SHIPPED / "tokenizer.model")
    parser.add_argument("--pieces", default="", help="of the trained network, comma-separated")
    parser.add_argument("--size", default="base", choices=sorted(SIZES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rows", type=int, default=256, help="streams of a step")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--width", type=int, default=128, help="of the levels")
    parser.add_argument("--dev", type=int, default=8, help="development steps")
    parser.add_argument("--workers", type=int, default=0, help="processes that make streams")
    parser.add_argument("--seconds", type=float, default=480, help="stop after this long")
    parser.add_argument("--eager", action="store_true", help="kernel by kernel, also on a GPU")
    return parser.parse_args()


def _train(
    network: Network,
    above: Above,
    source: Source,
    options: argparse.Namespace,
    device: torch.device,
) -> None:
    """The rate falls with the steps, or with the time where that runs out first."""
    optimizer = torch.optim.AdamW(above.parameters(), lr=options.rate, betas=(0.9, 0.95))
    began, run = time.monotonic(), None
    with (options.out / "levels.jsonl").open("w", encoding="utf-8") as log:
        rows = _rows(source, range(options.steps), options.rows, options.workers)
        for step, made in enumerate(rows, 1):
            batch = _batch(network, made, step, device)
            if run is None:
                captured = device.type == "cuda" and not options.eager
                run = (_captured if captured else _eager)(above, batch)
            spent = (time.monotonic() - began) / options.seconds
            done = min(1.0, max(step / options.steps, spent))
            share = min(1.0, step / _WARM) * (1 + math.cos(math.pi * done)) / 2
            optimizer.param_groups[0]["lr"] = options.rate * share
            parts = run(batch)
            nn.utils.clip_grad_norm_(above.parameters(), 1.0)
            optimizer.step()
            if step % _LOG_EVERY == 0 or step == options.steps or done == 1:
                entry = {name: round(float(part), 5) for name, part in parts.items()}
                entry |= {"step": step, "seconds": round(time.monotonic() - began, 1)}
                print(json.dumps(entry), file=log, flush=True)
                print(json.dumps(entry), flush=True)
            if done == 1:
                break


def _eager(above: Above, _: Batch) -> Callable[[Batch], dict[str, Tensor]]:
    def run(batch: Batch) -> dict[str, Tensor]:
        above.zero_grad(set_to_none=True)
        found: tuple[Tensor, dict[str, Tensor]] = above(batch)
        found[0].backward()
        return found[1]

    return run


def _captured(above: Above, first: Batch) -> Callable[[Batch], dict[str, Tensor]]:
    """Forward and backward pass as one CUDA graph: they are tens of thousands of small kernels."""
    ends = Ends(*(part.clone() for part in first.ends))
    kept = Batch._make((*(part.clone() for part in first[:-1]), ends))
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            above.zero_grad(set_to_none=True)
            above(kept)[0].backward()
    torch.cuda.current_stream().wait_stream(beside)
    above.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found: tuple[Tensor, dict[str, Tensor]] = above(kept)
        found[0].backward()

    def run(batch: Batch) -> dict[str, Tensor]:
        for old, new in zip((*kept[:-1], *kept.ends), (*batch[:-1], *batch.ends), strict=True):
            old.copy_(new)
        graph.replay()
        return found[1]

    return run


def _rows(source: Source, steps: range, rows: int, workers: int) -> Iterator[list[Document]]:
    if not workers:
        for step in steps:
            yield documents(source, step, rows)
        return
    global _source  # noqa: PLW0603 - workers are forked and find it there
    _source = source
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork"))
    try:
        yield from pool.map(_work, steps, [rows] * len(steps))
    finally:
        pool.shutdown(cancel_futures=True)


def _work(step: int, rows: int) -> list[Document]:
    return documents(_source, step, rows)


def _batch(
    network: Network,
    made: list[Document],
    step: int,
    device: torch.device,
    *,
    serving: bool = False,
) -> Batch:
    """What the network makes of streams, and where things end in them.

    Args:
        network: trained.
        made: the streams.
        step: chance is drawn from it.
        device: to work on.
        serving: whether topics end as the classifier says in every row.
    """
    columns = [torch.from_numpy(np.stack(parts)).to(device) for parts in zip(*made, strict=True)]
    ids, tags, sentence, paragraph, topic, there, places, labels = columns
    chance = torch.Generator().manual_seed(step)
    stride = _STRIDES[int(torch.randint(len(_STRIDES), (), generator=chance))]
    out = encode(network, ids, places.flatten(1), stride)
    batch, tokens = ids.shape
    valid = ids != 0
    known = valid.sum(1, keepdim=True) - 1 - torch.arange(tokens, device=device)
    drawn = torch.randint(2 * AHEAD, ids.shape, generator=chance).clamp(max=AHEAD)
    document = torch.zeros_like(there)
    for last in range(network.config.segment - 1, tokens, stride):
        number = sentence[:, last]
        document |= torch.nn.functional.one_hot(number.clamp(min=0), there.shape[1]).bool() & (
            number[:, None] >= 0
        )
    return Batch(
        out.hidden,
        out.spans,
        out.scores.view(*places.shape, -1),
        tags,
        valid,
        torch.minimum(drawn.to(device), known.clamp(min=0)),
        torch.rand(batch, generator=chance).to(device) < (1.0 if serving else 0.5),
        labels,
        Ends(sentence, places[..., 0], paragraph, topic, document, there),
    )


if __name__ == "__main__":
    main()
