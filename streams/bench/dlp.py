"""``weir bench dlp``: verdicts a message, against the same network in float and against Presidio.

On one core. What is compared runs in turn within each repeat, on the same texts.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from operators.dlp.dsl import Message
from streams.bench import machine
from streams.bench.measured import Measured, measured
from streams.dlp.inference import Engine
from streams.dlp.policy_file import load as load_policy
from streams.dlp.scanner import NEVER, Exits, Scanner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from streams.dlp.package import Package

BENCH: Final = "dlp"
SIZES: Final = (512, 2_048, 8_192)
DOCUMENTS: Final = {512: 40, 2_048: 24, 8_192: 8}
"""Texts of one repeat."""
_SENTENCES: Final = (
    "Thanks for the quick call yesterday, the notes are in the usual folder.",
    "The migration of the ledger finished at 04:12 and no row was lost.",
    "Please send the signed copy to Helen Okafor before Friday noon.",
    "def total(rows): return sum(row.amount for row in rows if row.open)",
    "2024-05-17 08:14:22,913 INFO pool.py:88 reconnected after 3 attempts",
    "Invoice INV-2024-0093 over 12,480.00 EUR is due at the end of the month.",
    "The card ends in 4242 and the customer asked for a refund twice.",
    "We will meet at the office on the second floor, room 214.",
    "My new number is (541) 382-7719, the old one is dead.",
    "Region north grew by four percent, south stayed where it was.",
    "| shard | lag | offset | and the rest of the table follows below |",
    "If the build fails again, pin the dependency and open a ticket.",
)


def run_dlp(repeats: int, say: Callable[[str], None]) -> Iterator[Measured]:
    """Measure; yield figures as soon as they are known.

    Args:
        repeats: of each comparison.
        say: told what is going on.
    """
    params: dict[str, Any] = {"cores": machine.pin(), "load_before": machine.load()}
    scanner = Scanner.load(exits=NEVER)
    model = scanner.package.size
    rivals = _rivals(scanner, say)
    for size in SIZES:
        documents = texts(size, DOCUMENTS[size])
        say(f"{size} bytes")
        own = _timed(scanner, NEVER)
        own(documents[:2])
        for rival in rivals.values():
            rival(documents[:1])
        runs: dict[str, list[list[float]]] = {"weir": [], **{name: [] for name in rivals}}
        for _ in range(repeats):
            runs["weir"].append(own(documents))
            for name, rival in rivals.items():
                runs[name].append(rival(documents))
        at = {"size": size, "model": model, "early_exits": 0, **params}
        for metric, share in (("latency_p50_ms", 50), ("latency_p95_ms", 95)):
            ours = [_quantile(times, share) for times in runs["weir"]]
            if not rivals:
                yield measured(BENCH, metric, "ms", ours, at)
            for name in rivals:
                theirs = [_quantile(times, share) for times in runs[name]]
                yield measured(BENCH, metric, "ms", ours, at, name, theirs)
        per_s = [len(times) / sum(times) for times in runs["weir"]]
        yield measured(BENCH, "docs_per_s", "docs/s", per_s, at)


def texts(size: int, count: int) -> list[str]:
    """Messages of about so many bytes: prose, code, logs, some of them with values in them."""
    found = []
    for number in range(count):
        rng, text = Random(number), ""  # noqa: S311 - the same texts in every run
        while len(text) < size:
            text += rng.choice(_SENTENCES) + rng.choice((" ", "\n"))
        found.append(text[:size])
    return found


def _timed(scanner: Scanner, exits: Exits) -> Callable[[list[str]], list[float]]:
    def run(documents: list[str]) -> list[float]:
        found = []
        for text in documents:
            began = time.perf_counter()
            scanner.scan(Message(text), exits=exits)
            found.append(time.perf_counter() - began)
        return found

    return run


def _rivals(
    scanner: Scanner, say: Callable[[str], None]
) -> dict[str, Callable[[list[str]], list[float]]]:
    found: dict[str, Callable[[list[str]], list[float]]] = {}
    if all(importlib.util.find_spec(name) for name in ("torch", "onnx")):
        say("the same network in float")
        found["float"] = _timed(in_float(scanner.package), NEVER)
    if importlib.util.find_spec("presidio_analyzer"):
        from streams.dlp.peers import installed  # noqa: PLC0415 - only where it is installed

        analyze = installed()["presidio"]

        def run(documents: list[str]) -> list[float]:
            times = []
            for text in documents:
                began = time.perf_counter()
                analyze(text)
                times.append(time.perf_counter() - began)
            return times

        found["presidio"] = run
    return found


def in_float(package: Package) -> Scanner:
    """The shipped network without its eight bits."""
    from operators.dlp.network.config import SIZES as NETWORKS  # noqa: PLC0415 - needs PyTorch
    from operators.dlp.network.model import Network  # noqa: PLC0415 - the same
    from streams.train import unpack  # noqa: PLC0415 - the same
    from streams.train.export import write_graphs  # noqa: PLC0415 - the same
    from streams.train.onnx_graphs import Precision  # noqa: PLC0415 - the same

    network = Network(NETWORKS[package.size])
    unpack.restore(network, package.folder)
    folder = Path(tempfile.mkdtemp(prefix="weir-float-"))
    write_graphs(network, {}, folder, Precision.FLOAT)
    engine = Engine(folder)
    engine.warm()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return Scanner(package, engine, load_policy(), NEVER)


def _quantile(times: list[float], share: float) -> float:
    return float(np.percentile(times, share)) * 1e3
