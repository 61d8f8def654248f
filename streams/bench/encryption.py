"""What encrypting state costs: throughput of the whole application, and a record by itself.

Called by the benchmark of what durability costs, on its broker and its events. In each repeat both
workers run once.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final

from state.cell_keys import block_key
from state.encryption.key_store import KeyStore
from state.encryption.places import KeyFolder
from state.encryption.sealing import SEALED_BYTES, Opener, SealPlace, seal
from state.secrets import FileSecrets
from streams.bench.contenders import SAMPLES_PREFIX, WEIR, Contender
from streams.bench.measured import measured
from streams.bench.throughput import run_throughput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streams.bench.lab import Lab
    from streams.bench.measured import Measured
    from streams.bench.throughput import Throughput

BENCH: Final = "durable"
LOST: Final = "of throughput"
SEALED_AT_ONCE: Final = 16 * 1024 * 1024
RECORD_BYTES: Final = (256, 65_536)  # a block of the linear model, and one of attention
_NANOSECOND: Final = 1e9


def _keys(lab: Lab) -> KeyFolder:
    return KeyFolder(lab.folder / "tenant-keys")


def _encrypted(lab: Lab) -> Mapping[str, str]:
    place = _keys(lab)
    KeyStore.initialise(place)
    return {"WEIR_ENCRYPTION__MODE": "on", "WEIR_ENCRYPTION__KEYS": place.where}


WEIR_ENCRYPTED: Final = Contender(
    "weir_encrypted", WEIR.command, WEIR.event_number, serves_metrics=True, environment=_encrypted
)


def run_encryption(
    lab: Lab, events: int, repeats: int, say: Callable[[str], None], params: Mapping[str, Any]
) -> Iterator[Measured]:
    """Measure what encryption costs.

    Args:
        lab: with a broker, and ``events`` and a tail in the topic ``bench.events``.
        events: events that a worker commits in a run.
        repeats: runs of each worker.
        say: told what is going on.
        params: go into every figure.

    Yields:
        ``encryption_cost``, the share of throughput lost; ``encrypted_cpu_per_event`` against the
        same worker without; ``seal`` and ``open``, time a record.

    Raises:
        BenchFailed: a worker failed or gave wrong output.
    """
    runs: dict[str, list[Throughput]] = {}
    for repeat in range(repeats):
        # In turn, so that neither is always the one that finds the broker warmer.
        order = (WEIR, WEIR_ENCRYPTED) if repeat % 2 == 0 else (WEIR_ENCRYPTED, WEIR)
        for contender in order:
            say(f"encryption, repeat {repeat + 1} of {repeats}: {contender.name}")
            group = f"encryption-{contender.name}-{repeat}"
            run = run_throughput(contender, lab, SAMPLES_PREFIX, group, events)
            runs.setdefault(contender.name, []).append(run)
    clear, sealed = runs[WEIR.name], runs[WEIR_ENCRYPTED.name]
    lost = [
        1.0 - ours.events_per_s / theirs.events_per_s
        for ours, theirs in zip(sealed, clear, strict=True)
    ]
    yield measured(BENCH, "encryption_cost", LOST, lost, params)
    yield measured(
        BENCH,
        "encrypted_cpu_per_event",
        "µs",
        [run.cpu_us["process"] for run in sealed],
        params,
        WEIR.name,
        [run.cpu_us["process"] for run in clear],
    )
    yield from _records(lab, repeats, params)


def _records(lab: Lab, repeats: int, params: Mapping[str, Any]) -> Iterator[Measured]:
    """Measure records by themselves, on one core."""
    place = _keys(lab)
    KeyStore.initialise(place)
    store = KeyStore(place, FileSecrets(lab.folder / "secrets"))
    for size in RECORD_BYTES:
        values = [os.urandom(size)] * (SEALED_AT_ONCE // size)
        of = {**params, "bytes": size, "added_bytes": SEALED_BYTES, "records": len(values)}
        times = [seal_and_open(store, values) for _ in range(repeats)]
        yield measured(BENCH, "seal", "ns", [sealing for sealing, _ in times], of)
        yield measured(BENCH, "open", "ns", [opening for _, opening in times], of)


def seal_and_open(store: KeyStore, values: list[bytes]) -> tuple[float, float]:
    """Seal and open values as one checkpoint of one tenant.

    Returns:
        Nanoseconds of processor time a record, of each: what others do on the cores is left out.
    """
    tenant, at = "bench", SealPlace("bench", 0)
    clear = [(block_key(tenant, "hlm.base", n), value) for n, value in enumerate(values)]
    key = store.current(tenant)
    started = time.process_time()
    sealed = list(seal(clear, tenant, key, at))
    between = time.process_time()
    opener = Opener(store, at, "bench")
    opened = [(name, opener.open(tenant, name, value or b"")) for name, value in sealed]
    ended = time.process_time()
    assert opened == clear
    scale = _NANOSECOND / len(values)
    return (between - started) * scale, (ended - between) * scale
