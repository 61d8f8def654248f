"""No schema may stop reading what an earlier release wrote.

``schemas/released/<schema>/v<n>.avsc`` are the released versions. A change of a schema that is
released adds the next version there in the same commit; a version that is there never changes.
"""

import json
from typing import Any

import pytest

from schemas.compat import Rule, breaks
from schemas.registry import SCHEMA_NAMES, SchemaName, canonical_form, load, released

# What others consume must also stay readable for them until they have upgraded.
OUTPUTS = frozenset(("prediction", "verdict", "audit_record", "audit_checkpoint", "quarantine"))


def rule(name: str) -> Rule:
    """Return what a schema must keep."""
    return Rule.FULL if name in OUTPUTS else Rule.BACKWARD


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_release_stays_readable(name: SchemaName) -> None:
    """Data of any release can be read, and what others consume can be read by their old readers."""
    for number, text in enumerate(released(name), start=1):
        assert breaks(load(name).text, text, rule(name)) == [], f"{name} against v{number}"


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_the_current_schema_is_kept_as_a_release(name: SchemaName) -> None:
    """The newest kept version is what this release writes, so that the next one is held to it."""
    newest = json.loads(released(name)[-1])
    assert canonical_form(newest) == load(name).canonical_form


def test_the_audit_leaf_never_changes_its_layout() -> None:
    """Audit logs are verified years later by their byte layout: it is that of the first release."""
    (first, *_) = released("audit_record")
    assert canonical_form(json.loads(first)) == load("audit_record").canonical_form


def test_a_break_names_the_field() -> None:
    """Whoever breaks a schema is told which field no longer reads the released data."""
    changed: Any = json.loads(load("event").text)
    for field in changed["fields"]:
        if field["name"] == "time_us":
            field["type"] = "string"
    (problem,) = breaks(json.dumps(changed), released("event")[0], rule("event"))
    assert problem.startswith("cannot read old data: weir.Event.time_us: ")
