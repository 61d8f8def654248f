"""The peer: a Quix Streams application that predicts and learns with River's logistic regression.

Runs in an environment of its own and imports nothing of this project:
``python -I quix_river.py BOOTSTRAP GROUP EVENTS PREDICTIONS SCHEMA STATE_DIR COMMIT_EVERY``.

It is written to be as fast as Quix Streams lets such an application be:

- one model for all events, in memory;
- one state write an event: the weights that it changed, packed, under a key that none of the last
  million events has. That is what exactly-once needs: outputs and what was learnt commit together,
  and a restart could put the model back. Quix keeps state by message key, so one state key a model
  would need all events on one message key, and one a weight would be thirty writes; both are
  slower. What is left out, folding the writes and reading them back, is in the peer's favour;
- few, large transactions (a fifth of all events each): committing more often only costs, and its
  latency is not compared;
- Avro decoded by fastavro without anything around it, features unpacked by numpy, predictions out
  as JSON by orjson, Quix's own default.
"""

from __future__ import annotations

import json
import struct
import sys
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import fastavro
import numpy as np
from quixstreams import Application, State  # type: ignore[import-not-found]
from river.linear_model import LogisticRegression

SLOTS = 1_000_000
COMMIT_S = 60.0  # COMMIT_EVERY decides


def main() -> None:
    """Run until SIGTERM."""
    bootstrap, group, events, predictions, schema_file, state_dir, every = sys.argv[1:]
    schema = fastavro.parse_schema(json.loads(Path(schema_file).read_text(encoding="utf-8")))
    decode = fastavro.schemaless_reader
    model: Any = LogisticRegression()  # untyped
    slot = cycle(range(SLOTS))

    def predict_and_learn(value: bytes, state: State) -> dict[str, Any]:
        event: Any = decode(BytesIO(value), schema)
        ids = np.frombuffer(event["feature_ids"], "<u8").tolist()
        values = np.frombuffer(event["feature_values"], "<f8").tolist()
        features = dict(zip(ids, values, strict=True))
        y_hat = model.predict_proba_one(features)[True]
        if event["label"] is not None:
            model.learn_one(features, event["label"] > 0)
            weight = model._weights  # noqa: SLF001 - ``weights`` copies all of them
            changed = struct.pack(f"<{len(ids)}d", *map(weight.__getitem__, ids))
            state.set_bytes(next(slot), event["feature_ids"] + changed)
        return {
            "id": event["id"],
            "event_id": event["event_id"],
            "time_us": event["time_us"],
            "label": event["label"],
            "y_hat": y_hat,
        }

    app = Application(
        broker_address=bootstrap,
        consumer_group=group,
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_every=int(every),
        commit_interval=COMMIT_S,
        state_dir=state_dir,
        loglevel="WARNING",
    )
    source = app.topic(events, value_deserializer="bytes", key_deserializer="bytes")
    sink = app.topic(predictions, value_serializer="json", key_serializer="bytes")
    stream = app.dataframe(source)
    stream.apply(predict_and_learn, stateful=True).to_topic(sink)
    app.run()


if __name__ == "__main__":
    main()
