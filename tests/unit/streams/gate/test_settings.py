"""Settings of the gate that contradict themselves are refused, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import ConfigError
from streams.gate.topics import gate_roles, output_roles
from streams.settings import load_settings


def test_nothing_is_scanned_or_forwarded_by_default() -> None:
    """Whoever turns it on says so."""
    found = load_settings()
    assert not found.messages.enabled
    assert gate_roles(found) == []
    assert set(output_roles(found)) == {"verdicts", "audit", "audit-checkpoints", "quarantine"}


def test_a_route_can_be_changed_and_none_can_be_forgotten() -> None:
    """A decision without a topic would let messages disappear."""
    routes = {"ALLOW": "allowed", "ALLOW_WITH_WARNING": "allowed", "REVIEW": "review"}
    found = load_settings(messages={"gate": True, "routes": routes | {"BLOCK": "blocked"}})
    assert gate_roles(found) == ["allowed", "blocked", "review"]
    with pytest.raises(ConfigError, match="says nothing of BLOCK"):
        load_settings(messages={"routes": routes})


@pytest.mark.parametrize("section", ["messages", "hierarchy"])
def test_verdicts_are_not_linked_to_events_of_another_schema(section: str) -> None:
    """They would be quarantined, every one."""
    with pytest.raises(ConfigError, match=rf"{section}\.link"):
        load_settings(**{section: {"link": True}}, mapping=Path("mapping.yaml"))
