"""What the slow tier and its gates add: three networks, the same batches, the same number of steps.

    python -m streams.train.ablation --data data --tokenizer tokenizer.model --out out --steps 1200

Prints for each its parameters and, on development messages, the AUPRC of exposure and context: of
all windows, and of second segments that continue or answer a first one, where what was said before
can only be known by the slow tier.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch

from operators.dlp.generator.library import Library
from operators.dlp.generator.rows import Source, batch_seed
from operators.dlp.network.config import FAST, NetworkConfig
from operators.dlp.tokenizer import Tokenizer
from streams.train import carriers, evaluate, feed, loop, pools
from streams.train.settings import TrainSettings

if TYPE_CHECKING:
    from operators.dlp.generator.rows import Batch
    from operators.dlp.network.model import Network

NETWORKS: Final[dict[str, NetworkConfig]] = {
    "gated": FAST,
    "ungated": replace(FAST, slow_tier=False),
    "plain": replace(FAST, slow_tier=False, hidden=968),
}
"""With slow tier and gates; without; and without, the MLPs wider for as many parameters."""
_DEV_STREAM: Final = 8_888


def main() -> None:
    """Train the chosen ones, write and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="with pools.xz and carriers.xz")
    parser.add_argument("--tokenizer", type=Path, required=True, help="the SentencePiece model")
    parser.add_argument("--out", type=Path, required=True, help="folder for ablation-NAME.json")
    parser.add_argument("--network", action="append", choices=list(NETWORKS), help="all of them")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--long", type=int, default=128, help="rows of 2 x 512 tokens a step")
    parser.add_argument("--short", type=int, default=512, help="rows of 128 tokens a step")
    parser.add_argument("--dev", type=int, default=8, help="development batches")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    options = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    every = pools.load(options.data / "pools.xz")
    texts = carriers.load(options.data / "carriers.xz")
    tokenizer = Tokenizer(options.tokenizer.read_bytes())
    train, dev = (
        Source(every.side(dev=side), Library(texts, dev=side), tokenizer) for side in (False, True)
    )
    drawn = [
        dev.batch(batch_seed(_DEV_STREAM, number), options.long, options.short)
        for number in range(options.dev)
    ]
    settings = TrainSettings("fast", options.steps, options.long, options.short, rate=2e-3)
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.network or NETWORKS:
        found = measured(NETWORKS[name], settings, train, drawn, options.workers)
        print(name, json.dumps(found), flush=True)
        (options.out / f"ablation-{name}.json").write_text(json.dumps(found, indent=1))


def measured(
    config: NetworkConfig,
    settings: TrainSettings,
    train: Source,
    drawn: list[Batch],
    workers: int,
) -> dict[str, Any]:
    """One network, trained and tried."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch._dynamo.reset()  # noqa: SLF001 - the public way to forget compiled code
    torch.compiler.set_stance("default")
    trainer = loop.Trainer(settings, device, compiled=device.type == "cuda", config=config)
    began = time.perf_counter()
    batches = feed.batches(train, settings, 0, workers)
    with tempfile.TemporaryDirectory() as work:
        loop.train(trainer, batches, Path(work), lambda _: None, save_every=settings.steps + 1)
    seconds = time.perf_counter() - began
    torch.compiler.set_stance("force_eager")
    figures = evaluate.evaluate(trainer.network, drawn, device)
    return {
        "parameters": parameters(trainer.network),
        "seconds": round(seconds, 1),
        "full": _brief(figures["full"]),
        "causal": _brief(figures["causal"]),
    }


def parameters(network: Network) -> int:
    """Of those that the outputs depend on."""
    idle = () if network.config.slow_tier else ("slow.",)
    return sum(
        weight.numel() for name, weight in network.named_parameters() if not name.startswith(idle)
    )


def _brief(figures: dict[str, Any]) -> dict[str, float]:
    found = {"macro_exact_f1": round(figures["macro_exact_f1"], 4)}
    for kind in ("scores", "scores_second"):
        for score in ("exposure", "context"):
            found[f"{kind}/{score}"] = round(figures[kind][score]["auprc_rare"], 4)
    return found


if __name__ == "__main__":
    main()
