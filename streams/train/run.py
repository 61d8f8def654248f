"""One training run from packed pools and carriers, start to evaluation."""

from __future__ import annotations

import argparse
import json
import os
import random
from pathlib import Path
from typing import Any

import torch

from operators.dlp.generator.library import Library
from operators.dlp.generator.rows import Source, batch_seed
from operators.dlp.network.config import SIZES
from operators.dlp.network.model import Network
from operators.dlp.tokenizer import Tokenizer
from streams.train import carriers, checkpoint, evaluate, feed, loop, pools
from streams.train.settings import TrainSettings
from streams.train.stopping import EarlyStop, early_stop

_DEV_STREAM = 7_777


def main() -> None:
    """Train, write the weights in pieces, evaluate."""
    options = _options()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_float32_matmul_precision("high")
    every = pools.load(options.data / "pools.xz")
    texts = carriers.load(options.data / "carriers.xz")
    tokenizer = Tokenizer(options.tokenizer.read_bytes())
    source = Source(every.side(dev=False), Library(texts, dev=False), tokenizer)
    library = Library(texts, dev=True)
    dev = Source(every.side(dev=True), library, tokenizer)
    settings = TrainSettings(
        options.size, options.steps, options.long, options.short, options.rate,
        seed=options.seed, patience=options.patience,
    )  # fmt: skip
    for folder in (options.work, options.out):
        folder.mkdir(parents=True, exist_ok=True)
    stop = early_stop(settings, dev)
    trainer = _trainer(options, settings, device, stop)
    batches = feed.batches(source, settings, trainer.step, options.workers)
    loop.train(trainer, batches, options.work, _say, seconds=options.seconds, stop=stop)
    metrics = (options.work / "metrics.jsonl").read_bytes()
    (options.out / "metrics.jsonl").write_bytes(metrics)
    checkpoint.export(trainer.network, options.out, options.size)
    torch.compiler.set_stance("force_eager")
    figures = _figures(trainer.network, dev, library, tokenizer, options, device)
    (options.out / f"figures-{options.size}.json").write_text(json.dumps(figures, indent=1))
    _say(json.dumps(figures))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="with pools.xz and carriers.xz")
    parser.add_argument("--tokenizer", type=Path, required=True, help="the SentencePiece model")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--out", type=Path, required=True, help="folder for weights and figures")
    parser.add_argument("--size", default="base", choices=sorted(SIZES))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--long", type=int, default=128, help="rows of 2 x 512 tokens a step")
    parser.add_argument("--short", type=int, default=512, help="rows of 128 tokens a step")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    parser.add_argument("--seconds", type=float, default=480, help="stop after this long")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--dev", type=int, default=4, help="development batches")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patience", type=int, default=5, help="checks; 0: no early stop")
    parser.add_argument("--start", default="", help="pieces to start from, comma-separated")
    parser.add_argument("--teacher", default="", help="pieces of a base network to learn from")
    return parser.parse_args()


def _trainer(
    options: argparse.Namespace,
    settings: TrainSettings,
    device: torch.device,
    stop: EarlyStop | None,
) -> loop.Trainer:
    teacher = None
    if options.teacher:
        teacher = Network(SIZES["base"])
        checkpoint.import_pieces(teacher, map(Path, options.teacher.split(",")))
        teacher.to(device).eval()
    trainer = loop.Trainer(settings, device, compiled=device.type == "cuda", teacher=teacher)
    if (options.work / "last.pt").exists():
        checkpoint.resume(trainer, options.work / "last.pt", stop)
        _say(f"resumed at step {trainer.step}")
    elif options.start:
        checkpoint.import_pieces(trainer.network, map(Path, options.start.split(",")))
    return trainer


def _figures(
    network: Network,
    dev: Source,
    library: Library,
    tokenizer: Tokenizer,
    options: argparse.Namespace,
    device: torch.device,
) -> dict[str, Any]:
    seeds = [batch_seed(_DEV_STREAM, number) for number in range(options.dev)]
    figures: dict[str, Any] = evaluate.evaluate(
        network, (dev.batch(seed, 64, 256) for seed in seeds), device
    )
    rng = random.Random(_DEV_STREAM)
    alarms, noted = {}, list[str]()
    for kind in ("prose", "code", "config"):
        texts = library.kinds.get(kind, [])
        chosen = rng.sample(texts, min(len(texts), 40 * options.dev))
        if chosen:
            alarms[kind], samples = evaluate.false_alarms(network, tokenizer, chosen, device)
            noted += [kind, *samples[:300]]
    (options.out / "alarms.txt").write_text("\n".join(noted))
    return figures | {"alarms_per_mb": alarms}


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
