"""What keeping observations and names costs a shard's engine: ``python -m streams.bench.labels``.

Processor time of one thread, medians of rounds that alternate; one JSON object a line, in the form
of ``weir bench``. ``ratio`` is the rate with both memories over the rate without.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from operators.fusion.cell import CellConfig
from schemas.codec import Codec
from state.secrets import FileSecrets
from streams.kafka.reader import Record
from streams.keys import CellKeys
from streams.messages import PlainReader
from streams.settings import LabelSettings
from streams.shard.encode import MessageCodecs
from streams.shard.engine import Engine
from streams.shard.quarantine import QuarantineEncoder

EVENTS: Final = 20_000
UNIT: Final = 1_000
FEATURES: Final = 20
ROUNDS: Final = 7
WITHOUT: Final = LabelSettings(keep_observations=0, repeat_window=0)


def _records(*, labelled: bool) -> list[Record]:
    encode = Codec("event").encode
    found = []
    for number in range(EVENTS):
        rng = np.random.default_rng(number)
        event: dict[str, Any] = {
            "kind": "OBSERVATION",
            "tenant": "acme",
            "id": f"entity-{number % 997}",
            "event_id": f"event-{number}",
            "time_us": 1_000_000 + 1_000 * number,
            "label": float(number % 2) if labelled else None,
            "feature_ids": rng.integers(0, 5_000, FEATURES).astype("<u8").tobytes(),
            "feature_values": rng.normal(size=FEATURES).tobytes(),
        }
        found.append(Record(number, 0, b"k", encode(event)))
    return found


def _seconds(keys: CellKeys, labels: LabelSettings, records: list[Record]) -> float:
    codecs = MessageCodecs(
        PlainReader(), Codec("audit_checkpoint"), QuarantineEncoder(Codec("quarantine"))
    )
    engine = Engine(
        0,
        CellConfig(),
        keys,
        codecs,
        application_id="bench",
        source_topic="events",
        max_event_bytes=1_000_000,
        max_tenants=1,
        labels=labels,
    )
    started = time.process_time()
    for start in range(0, EVENTS, UNIT):
        engine.process(records[start : start + UNIT])
    return time.process_time() - started


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        secrets = Path(folder) / "secrets"
        FileSecrets.initialise(secrets)
        keys = CellKeys(FileSecrets(secrets), "bench")
        for name in ("labelled", "unlabelled"):
            records = _records(labelled=name == "labelled")
            seconds: dict[bool, list[float]] = {True: [], False: []}
            for number in range(ROUNDS + 1):
                for both, labels in ((True, LabelSettings()), (False, WITHOUT)):
                    spent = _seconds(keys, labels, records)
                    if number:  # the first warms up
                        seconds[both].append(spent)
            with_both, without = (EVENTS / statistics.median(seconds[one]) for one in (True, False))
            result = {
                "bench": "durable",
                "metric": "labels_events_per_s",
                "params": {"events": name, "features": FEATURES, "repeats": ROUNDS},
                "value": round(with_both),
                "unit": "events/s",
                "against": "neither kept",
                "against_value": round(without),
                "ratio": round(with_both / without, 3),
            }
            sys.stdout.write(f"{json.dumps(result)}\n")


if __name__ == "__main__":
    main()
