"""Makes the model folder from weights in pieces, as `streams.train.run` leaves them.

python -m streams.train.pack --data data --pieces out/base.0.pt,… --folder operators/dlp/model
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from operators.dlp.network.config import SIZES
from operators.dlp.network.model import Network
from operators.dlp.tokenizer import Tokenizer
from streams.dlp import development
from streams.train import checkpoint, ship


def main() -> None:
    """Export, calibrate, seal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="with pools.xz and carriers.xz")
    parser.add_argument("--pieces", required=True, help="comma-separated")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--size", default="base", choices=sorted(SIZES))
    parser.add_argument("--version", required=True)
    parser.add_argument("--messages", type=int, default=1_000)
    options = parser.parse_args()
    network = Network(SIZES[options.size])
    checkpoint.import_pieces(network, map(Path, options.pieces.split(",")))
    tokenizer = options.tokenizer.read_bytes()
    encoder = Tokenizer(tokenizer)
    source, dev = development.both(options.data, encoder)
    figures = ship.ship(
        network, source, dev, tokenizer, options.folder,
        version=options.version, size=options.size, messages=options.messages, say=print,
    )  # fmt: skip
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
