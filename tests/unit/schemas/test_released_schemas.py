"""No schema may stop reading what an earlier release wrote.

``tests/compat/schemas/<schema>/v<n>.avsc`` are the released versions. A change of a schema that is
released adds the next version there in the same commit; a version that is there never changes.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.compat import Rule, breaks
from schemas.registry import SCHEMA_NAMES, SchemaName, canonical_form, load

RELEASED = Path(__file__).parents[2] / "compat" / "schemas"

# What others consume must also stay readable for them until they have upgraded.
OUTPUTS = frozenset(("prediction", "verdict", "audit_record", "audit_checkpoint", "quarantine"))


def rule(name: str) -> Rule:
    """Return what a schema must keep."""
    return Rule.FULL if name in OUTPUTS else Rule.BACKWARD


def versions(name: str) -> list[str]:
    """Return the released versions of a schema, oldest first."""
    files = sorted((RELEASED / name).glob("v*.avsc"), key=lambda file: int(file.stem[1:]))
    return [file.read_text(encoding="utf-8") for file in files]


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_release_stays_readable(name: SchemaName) -> None:
    """Data of any release can be read, and what others consume can be read by their old readers."""
    for number, released in enumerate(versions(name), start=1):
        assert breaks(load(name).text, released, rule(name)) == [], f"{name} against v{number}"


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_the_current_schema_is_kept_as_a_release(name: SchemaName) -> None:
    """The newest kept version is what this release writes, so that the next one is held to it."""
    newest = json.loads(versions(name)[-1])
    assert canonical_form(newest) == load(name).canonical_form


def test_the_audit_leaf_never_changes_its_layout() -> None:
    """Audit logs are verified years later by their byte layout: it is that of the first release."""
    (first, *_) = versions("audit_record")
    assert canonical_form(json.loads(first)) == load("audit_record").canonical_form


def test_a_break_names_the_field() -> None:
    """Whoever breaks a schema is told which field no longer reads the released data."""
    changed: Any = json.loads(load("event").text)
    for field in changed["fields"]:
        if field["name"] == "time_us":
            field["type"] = "string"
    (problem,) = breaks(json.dumps(changed), versions("event")[0], rule("event"))
    assert problem.startswith("cannot read old data: weir.Event.time_us: ")
