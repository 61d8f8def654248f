import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.errors import BadMessage
from schemas.mapping import CheckReport, Origin, Sample, check
from schemas.reasons import Reason
from tests.unit.schemas.mapping_cases import make_mapper

TEXT = """\
tenant: owner
id: id
event_id: eid
time: {field: at, unit: ms}
label: {field: y, values: {bad: 1, good: 0}}
features:
  numbers: [amount, "p.*", gone]
  categories: [country]
key: {fields: [amount, p.a]}
"""
GOOD: dict[str, Any] = {
    "owner": "acme",
    "id": "c-1",
    "eid": "e-1",
    "at": 1735689600000,
    "y": "bad",
    "amount": 2,
    "p": {"a": 1, "b": 2.5},
    "country": "DE",
    "note": "unused",
}


def _samples(*messages: dict[str, Any] | bytes) -> Iterator[Sample]:
    for offset, message in enumerate(messages):
        value = message if isinstance(message, bytes) else json.dumps(message).encode()
        yield Sample(Origin.kafka("pay", 0, offset), value)


def _check(*messages: dict[str, Any] | bytes) -> CheckReport:
    return check(make_mapper(TEXT), _samples(*messages))


def test_a_good_sample_is_ok_and_shows_its_events() -> None:
    """The report has the figures that say whether the mapping is what was meant."""
    report = _check(
        GOOD,
        GOOD | {"eid": "e-2", "y": "good", "at": 1735689601000},
        GOOD | {"id": "c-2", "y": None, "p": {}},
    )
    assert report.ok
    assert (report.samples, report.mapped, report.failed) == (3, 3, 0)
    assert (report.tenants, report.ids, report.duplicates) == (1, 2, 0)
    assert report.features is not None
    assert (report.features.least, report.features.most) == (2.0, 4.0)
    assert report.features.mean == pytest.approx(10 / 3)
    assert (report.label.labelled, report.label.unlabelled) == (2, 1)
    assert report.label.counts == {"0.0": 1, "1.0": 1}
    assert report.first_time == "2025-01-01T00:00:00+00:00"
    assert report.last_time == "2025-01-01T00:00:01+00:00"
    assert report.unused == {"note": 1.0}
    assert report.preview[0]["key"] == [2.0, 1.0]
    assert report.preview[0]["event_id"] == "e-1"


def test_each_field_is_told_with_share_and_types() -> None:
    """How often a field is there and what it holds shows a wrong path or a mixed type."""
    report = _check(GOOD, GOOD | {"eid": "e-2", "amount": 2.5, "p": {"a": 1}, "country": None})
    parts = {part.place: part for part in report.parts}
    amount = parts["features.numbers[0]"].fields[0]
    assert (amount.path, amount.present, amount.share) == ("amount", 2, 1.0)
    assert amount.types == {"integer": 1, "number": 1}
    glob = parts["features.numbers[1]"].fields[0]
    assert (glob.present, glob.members, glob.types) == (2, 2, {"integer": 2, "number": 1})
    assert parts["features.categories[0]"].fields[0].share == 0.5
    assert [one.path for one in parts["key"].fields] == ["amount", "p.a"]
    assert report.warnings[0].startswith("features.numbers[2]: no sample has the field 'gone'")


def test_every_failure_is_told_by_part_and_kind_and_quotes_nothing() -> None:
    """All parts are tried on every sample, so that one run shows all that is wrong."""
    secret = "4111-1111"  # noqa: S105 - what must not be quoted
    report = _check(
        GOOD,
        GOOD | {"amount": secret, "country": {"x": secret}},
        GOOD | {"amount": secret},
        f'{{"amount": "{secret}'.encode(),
        GOOD | {"y": secret},
        {key: value for key, value in GOOD.items() if key != "id"},
    )
    assert not report.ok
    assert (report.mapped, report.failed) == (1, 5)
    parts = {part.place: part for part in report.parts}
    assert parts["source"].failures[0].reason == "BAD_MAPPING"
    assert parts["source"].failures[0].positions == ["pay/0/3"]
    (amount,) = parts["features.numbers[0]"].failures
    assert (amount.reason, amount.count) == ("BAD_FIELD", 2)
    assert amount.positions == ["pay/0/1", "pay/0/2"]
    assert [parts[place].failed for place in ("features.categories[0]", "label", "id")] == [1, 1, 1]
    assert "id needs it" in parts["id"].failures[0].detail
    told = json.dumps(report.as_dict() | {"preview": []})
    assert secret not in told


def test_the_report_is_data_for_machines() -> None:
    """``weir map --check --json`` prints it as it is."""
    report = _check(GOOD, b"")
    data = json.loads(json.dumps(report.as_dict()))
    assert data["ok"] is False
    assert data["failed"] == 1
    assert data["parts"][0] == {
        "place": "source",
        "fields": [],
        "failed": 1,
        "failures": [
            {
                "reason": "BAD_MAPPING",
                "detail": "the JSON object breaks off at character 0: Expecting value",
                "count": 1,
                "positions": ["pay/0/1"],
            }
        ],
    }


@pytest.mark.parametrize(
    ("messages", "warning"),
    [
        ([GOOD | {"at": 1735689600}], "time: events are from 1970-01-21.*is the unit right"),
        ([GOOD | {"at": 10**15}], "time: events are from 1000000000000000000 µs"),
        ([GOOD, GOOD], "event_id: 1 events have tenant, id and event_id of an earlier one"),
        ([GOOD], "label: every labelled event has the same label"),
    ],
)
def test_what_is_rarely_meant_is_warned_of(messages: list[dict[str, Any]], warning: str) -> None:
    """A wrong unit, ids that repeat and a label without variety map well and learn nothing."""
    report = _check(*messages)
    assert report.failed == 0
    assert any(re.match(warning, one) for one in report.warnings)


def test_many_different_labels_are_summed_up() -> None:
    """A number to predict has no balance, but a range."""
    mapper = make_mapper(TEXT.replace("{field: y, values: {bad: 1, good: 0}}", "y"))
    report = check(mapper, _samples(*(GOOD | {"y": y, "eid": y} for y in range(100))))
    assert report.label.counts is None
    assert report.label.spread is not None
    assert (report.label.spread.least, report.label.spread.mean) == (0.0, 49.5)


def test_the_preview_can_be_kept_out() -> None:
    """Where a report is stored, the data need not be in it."""
    report = check(make_mapper(TEXT), _samples(GOOD, GOOD | {"eid": "e-2"}), preview=0)
    assert report.preview == []
    assert "acme" not in json.dumps(report.as_dict())


def test_no_samples_is_not_ok() -> None:
    """An empty topic says nothing about the mapping."""
    report = check(make_mapper(TEXT), [])
    assert not report.ok
    assert (report.samples, report.features, report.first_time) == (0, None, None)


def test_rows_that_could_not_be_read_count_as_failures_of_the_source() -> None:
    """Files are checked by the same means: their bad rows are samples too."""
    bad = Sample(Origin("7"), BadMessage(Reason.OVERSIZED, "the line is too long"))
    report = check(make_mapper(TEXT), [Sample(Origin("6"), GOOD), bad])
    assert (report.samples, report.mapped) == (2, 1)
    assert report.parts[0].failures[0].positions == ["7"]


def test_a_list_that_a_path_leads_into_is_used() -> None:
    """``unused`` lists what nothing reads; an embedding read by its elements is read."""
    text = TEXT.replace("gone]", "'v.*']")
    report = check(make_mapper(text), _samples(GOOD | {"v": [1, 2], "w": [3]}))
    assert report.unused == {"note": 1.0, "w": 1.0}
