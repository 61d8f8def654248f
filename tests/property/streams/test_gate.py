"""However a log of messages and news is cut into units and restored, the same bytes follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.streams.gate.test_thresholds import label, prediction
from tests.unit.streams.gate.under_test import Arrived, GateLab, arrived, message, outputs, run

if TYPE_CHECKING:
    import pytest

LONGEST = 10
KINDS = ("message", "message", "held", "label", "prediction", "broken")
SETTINGS: dict[str, Any] = {
    "gate": True,
    "link": True,
    "least_labels": 1,
    "rate": 0.5,
    "threads": 1,
}


@st.composite
def logs(draw: st.DrawFn) -> list[Arrived]:
    """Messages of few threads and tenants, some of them twice or broken, and news of them."""
    found: list[Arrived] = []
    for offset in range(draw(st.integers(1, LONGEST))):
        about = draw(st.integers(0, 3))
        kind = draw(
            st.sampled_from(["message", "message", "held", "label", "prediction", "broken"])
        )
        chance = draw(st.sampled_from([0.0, 0.3, 1.0]))
        if kind == "label":
            found.append(label(offset, about, round(chance)))
        elif kind == "prediction":
            found.append(prediction(offset, about, chance))
        elif kind == "broken":
            found.append(arrived(offset, message(0))._replace(value=b"\x00"))
        else:
            thread = draw(st.sampled_from([None, {"id": "t"}, {"id": "u", "position": 2}]))
            number = 1 if kind == "held" else draw(st.integers(0, 4))
            tenant = draw(st.sampled_from(["acme", "acme", "globex"]))
            sent = message(number, id=f"m-{about}", thread=thread, tenant=tenant, time_us=offset)
            found.append(arrived(offset, sent))
    return found


@given(log=logs(), cuts=st.sets(st.integers(1, LONGEST)), restart=st.integers(1, LONGEST))
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_cuts_and_restarts_change_no_byte(
    tmp_path_factory: pytest.TempPathFactory, log: list[Arrived], cuts: set[int], restart: int
) -> None:
    """Verdicts, records, events, forwards and quarantine are those of one undisturbed unit."""
    lab = GateLab(tmp_path_factory.mktemp("gate"), **SETTINGS)
    whole = outputs(run(lab.engine(), log))
    inside = sorted(cut for cut in cuts if cut < len(log))
    assert outputs(run(lab.engine(), log, inside)) == whole
    at = min(restart, len(log))
    with lab.store() as store:
        before = run(lab.engine(), log[:at], [cut for cut in inside if cut < at], store)
        after = run(lab.restored(store), log[at:]) if at < len(log) else []
    assert outputs([*before, *after]) == whole
