"""What late labels cost a shard's engine: ``python -m streams.bench.labels``.

Processor time of one thread, medians of rounds that alternate; one JSON object a line, in the form
of ``weir bench``. ``ratio`` is the rate with both memories over the rate without; for the labels
themselves, their rate over that of the unlabelled events that they are of.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

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

if TYPE_CHECKING:
    from collections.abc import Iterator

EVENTS: Final = 20_000
UNIT: Final = 1_000
FEATURES: Final = 20
ROUNDS: Final = 7
KEPT: Final = LabelSettings(keep_observations=EVENTS)
WITHOUT: Final = LabelSettings(keep_observations=0, repeat_window=0)


def _records(*, labelled: bool) -> list[Record]:
    encode = Codec("event").encode
    found = []
    for number in range(EVENTS):
        rng = np.random.default_rng(number)
        event: dict[str, Any] = _name(number) | {
            "kind": "OBSERVATION",
            "label": float(number % 2) if labelled else None,
            "feature_ids": rng.integers(0, 5_000, FEATURES).astype("<u8").tobytes(),
            "feature_values": rng.normal(size=FEATURES).tobytes(),
        }
        found.append(Record(number, 0, b"k", encode(event)))
    return found


def _late_labels() -> list[Record]:
    encode = Codec("event").encode
    return [
        Record(EVENTS + n, 0, b"k", encode(_name(n) | {"kind": "LABEL", "label": float(n % 2)}))
        for n in range(EVENTS)
    ]


def _name(number: int) -> dict[str, Any]:
    return {
        "tenant": "acme",
        "id": f"entity-{number % 997}",
        "event_id": f"event-{number}",
        "time_us": 1_000_000 + 1_000 * number,
    }


def _engine(keys: CellKeys, labels: LabelSettings) -> Engine:
    codecs = MessageCodecs(
        PlainReader(), Codec("audit_checkpoint"), QuarantineEncoder(Codec("quarantine"))
    )
    return Engine(
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


def _seconds(engine: Engine, records: list[Record]) -> float:
    started = time.process_time()
    for start in range(0, EVENTS, UNIT):
        engine.process(records[start : start + UNIT])
    return time.process_time() - started


def _tell(metric: str, events: str, value: float, against: str, against_value: float) -> None:
    result = {
        "bench": "durable",
        "metric": metric,
        "params": {"events": events, "features": FEATURES, "repeats": ROUNDS},
        "value": round(value),
        "unit": "events/s",
        "against": against,
        "against_value": round(against_value),
        "ratio": round(value / against_value, 3),
    }
    sys.stdout.write(f"{json.dumps(result)}\n")


def _rates(rounds: Iterator[tuple[float, float]]) -> tuple[float, float]:
    """Median rates of the two sides of rounds, the first of which warms up."""
    one, other = zip(*list(rounds)[1:], strict=True)
    return EVENTS / statistics.median(one), EVENTS / statistics.median(other)


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        secrets = Path(folder) / "secrets"
        FileSecrets.initialise(secrets)
        keys = CellKeys(FileSecrets(secrets), "bench")
        for name in ("labelled", "unlabelled"):
            records = _records(labelled=name == "labelled")
            rates = _rates(
                (_seconds(_engine(keys, KEPT), records), _seconds(_engine(keys, WITHOUT), records))
                for _ in range(ROUNDS + 1)
            )
            _tell("labels_events_per_s", name, rates[0], "neither kept", rates[1])
        observations, labels = _records(labelled=False), _late_labels()

        def late_round() -> tuple[float, float]:
            engine = _engine(keys, KEPT)
            stepped = _seconds(engine, observations)
            return _seconds(engine, labels), stepped

        rates = _rates(late_round() for _ in range(ROUNDS + 1))
        _tell("late_labels_per_s", "late labels", rates[0], "their events", rates[1])


if __name__ == "__main__":
    main()
