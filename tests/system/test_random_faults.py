"""Whatever happens to workers and brokers, outputs, weights and audit trail are as if nothing had.

The reference is the undisturbed run of the same events by the offline driver. What a seed did can
be done again: ``WEIR_SYSTEM_SEED=… pytest tests/system``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from schemas.codec import Codec
from tests.integration.streams.under_test import open_stream
from tests.system.disturbed import Disturbed
from tests.system.schedule import make_schedule
from tests.system.traffic import DIMENSION, make_rounds

if TYPE_CHECKING:
    from deploy.broker.local import LocalBroker
    from tests.integration.streams.under_test import Stream

pytestmark = [pytest.mark.integration, pytest.mark.slow]

HOLDS, HOLDS_WITH_ALARMS = 0, 3
SEED = 20_261_122


@pytest.mark.parametrize(
    ("rounds", "events"),
    [
        pytest.param(4, 4_000, id="short"),
        pytest.param(20, 200_000, id="long", marks=pytest.mark.long),
    ],
)
def test_random_faults_leave_no_trace(
    cluster: LocalBroker, tmp_path: Path, rounds: int, events: int
) -> None:
    """Each event has one prediction and one audit record; every weight is the same, bit for bit."""
    seed = int(os.environ.get("WEIR_SYSTEM_SEED", SEED))
    schedule = make_schedule(seed, rounds)
    parts = make_rounds(seed, schedule, events // rounds)
    began = time.monotonic()
    with open_stream(cluster, tmp_path, DIMENSION) as stream:
        disturbed = Disturbed(stream, cluster)
        disturbed.run(schedule, parts)
        seconds = time.monotonic() - began
        require_once_each(stream)
        stream.assert_undisturbed()
        verify(stream)
        result = {
            "seed": seed,
            "rounds": rounds,
            "events": len(stream.sent),
            "seconds": round(seconds),
            "faults": {kind.name: n for kind, n in sorted(disturbed.done.items(), key=str)},
            "workers_started": len(stream.workers),
            "ended_by_themselves": dict(disturbed.codes),
        }
    print(json.dumps(result))  # noqa: T201 - what goes into docs/durability.md


def require_once_each(stream: Stream) -> None:
    """Every event has one prediction and one audit record, or lies in quarantine once."""
    predicted, sent = Codec("prediction").decode, Codec("event")
    poisoned = Codec("quarantine").decode
    for shard, records in enumerate(stream.records("events")):
        refused = [poisoned(value)["offset"] for value in stream.values("quarantine")[shard]]
        assert len(refused) == len(set(refused)), f"quarantined twice in shard {shard}"
        good = [record for record in records if record.offset not in set(refused)]
        wanted = Counter(
            (event["tenant"], event["event_id"])
            for event in (sent.decode(record.value) for record in good)
        )
        got = Counter(
            (row["tenant"], row["event_id"])
            for row in (predicted(value) for value in stream.values("predictions")[shard])
        )
        assert got == wanted, f"predictions of shard {shard}"
        assert len(stream.values("audit")[shard]) == len(good), f"audit of shard {shard}"


def verify(stream: Stream) -> None:
    """The trail holds, from the topics, as an auditor would check it."""
    weir = str(Path(sys.executable).with_name("weir"))
    done = subprocess.run(
        [weir, "verify", "--json"],
        env=stream.environment | {"WEIR_DATA_DIR": str(stream.folder / "verify")},
        cwd=stream.folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode in {HOLDS, HOLDS_WITH_ALARMS}, done.stdout + done.stderr
