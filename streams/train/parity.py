"""What exporting and eight bits cost, on development messages, before any rule.

    python -m streams.train.parity --data data --pieces out/base.0.pt,… --tokenizer tokenizer.model

Prints one JSON object: the largest difference between PyTorch and ONNX in float; and for static and
dynamic eight bits the change of AUPRC of each score and of exact F1 of each tag against float.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from operators.dlp.decoding import spans
from operators.dlp.network.config import SIZES
from operators.dlp.network.model import Network
from operators.dlp.scoring import SpanTally, average_precision
from operators.dlp.segments import LENGTHS, merged, padded, plan
from operators.dlp.tags import SCORES, TAGS, TYPES, TypedSpan
from operators.dlp.tokenizer import Tokenizer
from streams.dlp import development
from streams.dlp.evaluation import generated, truths
from streams.dlp.inference import Engine
from streams.train import checkpoint
from streams.train.export import export
from streams.train.onnx_graphs import Precision

if TYPE_CHECKING:
    from collections.abc import Sequence

    from operators.dlp.generator.messages import Labelled

_STREAM = 5 << 40
_SEED = 99


def main() -> None:
    """Export in every precision and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="with pools.xz and carriers.xz")
    parser.add_argument("--pieces", required=True, help="comma-separated")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--size", default="base", choices=sorted(SIZES))
    parser.add_argument("--messages", type=int, default=300)
    options = parser.parse_args()
    tokenizer = Tokenizer(options.tokenizer.read_bytes())
    source, dev = development.both(options.data, tokenizer)
    messages = generated(dev, options.messages, _SEED)
    batch = source.batch(_STREAM, 24, 64)
    found: dict[str, Any] = {"messages": len(messages)}
    tables = {}
    with tempfile.TemporaryDirectory() as folder:
        for precision in Precision:
            network = Network(SIZES[options.size])
            checkpoint.import_pieces(network, map(Path, options.pieces.split(",")))
            place = Path(folder) / precision.value
            export(network, batch, place, precision)
            engine = Engine(place)
            if precision is Precision.FLOAT:
                found["torch_against_onnx"] = difference(network, engine, tokenizer, messages[:8])
            tables[precision] = figures(engine, tokenizer, messages)
    plain = tables[Precision.FLOAT]
    found["float"] = plain
    for precision in (Precision.STATIC, Precision.DYNAMIC):
        found[precision.value] = {
            name: round(tables[precision][name] - plain[name], 5) for name in plain
        }
    print(json.dumps(found, indent=1))


@torch.no_grad()
def difference(
    network: Network, engine: Engine, tokenizer: Tokenizer, messages: Sequence[Labelled]
) -> dict[str, float]:
    """Largest absolute difference of any output between PyTorch and ONNX, by segment length."""
    network.eval()
    state = torch.from_numpy(engine.start(None))[None]
    worst = {}
    for length in LENGTHS:
        apart = 0.0
        for labelled in messages:
            ids = np.zeros((1, length), np.int64)
            found = tokenizer.encode(labelled.serialized.text).ids[:length]
            ids[0, : len(found)] = found
            row = torch.from_numpy(ids)
            ours = engine.run(ids, state[0].numpy())
            theirs = network(row, row != 0, state, False)
            kept = ids[0] != 0
            for left, right in (
                (ours.scores, theirs.scores[0, -1]),
                (ours.spans[kept], theirs.spans[0][torch.from_numpy(kept)]),
                (ours.memory, theirs.memory[0]),
                (ours.states, theirs.states[0]),
            ):
                apart = max(apart, float(np.abs(left - right.numpy()).max()))
        worst[str(length)] = apart
    return worst


def figures(engine: Engine, tokenizer: Tokenizer, messages: Sequence[Labelled]) -> dict[str, float]:
    """Exact F1 of each tag and AUPRC of each score, of the model alone."""
    tally = SpanTally()
    scores, labels = [], []
    for labelled in messages:
        text = labelled.serialized.text
        encoding = tokenizer.encode(text)
        state, rows, last = engine.start(None), [], np.zeros(len(SCORES), np.float32)
        segments = plan(len(encoding.ids))
        for segment in segments:
            out = engine.run(padded(encoding.ids, segment), state)
            rows.append(out.spans)
            last, state = out.scores, out.states[segment.handed]
        guesses = spans(text, encoding, merged(segments, rows, len(TAGS)))
        wanted = [TypedSpan(*entity[:3]) for entity in labelled.entities]
        tally.add(wanted, [TypedSpan(*guess[:3]) for guess in guesses])
        scores.append(last)
        labels.append(truths(labelled))
    table, truth = tally.figures(), np.array(labels)
    found = {f"f1/{kind}": table[kind]["exact_f1"] for kind in TYPES}
    for place, name in enumerate(SCORES):
        found[f"auprc/{name}"] = average_precision(np.array(scores)[:, place], truth[:, place])
    return found


if __name__ == "__main__":
    main()
