"""What a training run reads, made once: pools of names, carriers, and a tokenizer if asked for.

    python -m streams.train.prepare --out data --root site-packages:1500000 --root unpacked:6000000

A root is a folder of sources and the most code points that are taken from each of them. Debian's
documentation packages are unpacked with ``apt-get download`` and ``dpkg -x``, one folder each.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from operators.dlp.generator.library import Library
from streams.train import carriers, pools, vocabulary


def main() -> None:
    """Write pools.xz and carriers.xz, and tokenizer.model with ``--tokenizer``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--root", action="append", required=True, help="FOLDER:CODE_POINTS")
    parser.add_argument("--tokenizer", action="store_true", help="train the tokenizer anew")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    drawn = pools.draw()
    pools.save(drawn, options.out / "pools.xz")
    roots = [root.rsplit(":", 1) for root in options.root]
    texts = list(carriers.read((Path(folder), int(most)) for folder, most in roots))
    carriers.save(texts, options.out / "carriers.xz")
    if options.tokenizer:
        model = vocabulary.train(drawn.side(dev=False), Library(texts, dev=False))
        (options.out / "tokenizer.model").write_bytes(model)


if __name__ == "__main__":
    main()
