"""The learner's settings as part of a shard's state, so that other ones are noticed at a start.

State that was learnt with one configuration means something else under another, and a log that was
stepped with both could never be replayed. The settings travel with each checkpoint, as canonical
JSON rather than a hash, so that the refusal can name what differs.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, Final

from operators.fusion.cell import CellConfig
from schemas.errors import ConfigError, StateError

_ABSENT: Final = object()
_LABELS: Final = "labels"


def encode_learner(config: CellConfig, labels: dict[str, int] | None = None) -> bytes:
    """Return the record: JSON with sorted keys, no spaces, shortest decimals."""
    plain = asdict(config) | {_LABELS: labels or {}}
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()


def check_learner(
    record: bytes | None, config: CellConfig, where: str, labels: dict[str, int] | None = None
) -> None:
    """Compare the settings that state was learnt with to those in force.

    A setting that the record does not know came later, with a default that changes nothing.

    Args:
        record: what a checkpoint holds.
        config: the settings in force.
        where: whose state it is; for the message of an error.
        labels: the settings of late labels and repetitions in force.

    Raises:
        ConfigError: they differ; the message names each setting.
        StateError: there is no record, or it is damaged.
    """
    try:
        learnt_with = _named(json.loads(record or b""), labels or {})
    except ValueError as error:
        raise StateError(
            f"the state of {where} does not say with which settings it was learnt: it is damaged; "
            "delete the state folder, it will be restored from the changelog"
        ) from error
    defaults = _flat(asdict(CellConfig()), "learner")
    now = _named(asdict(config), labels or {})
    told = []
    for name in sorted(learnt_with.keys() | now.keys()):
        before = learnt_with.get(name, defaults.get(name, _ABSENT))
        after = now.get(name, _ABSENT)
        if before is _ABSENT or after is _ABSENT:
            told.append(f"{name} is not known to this version")
        elif before != after:
            told.append(f"{name} was {json.dumps(before)} and is {json.dumps(after)}")
    if told:
        raise ConfigError(
            f"the state of {where} was learnt with other settings: {'; '.join(told)}. State and "
            "settings belong together: set them back, or begin anew under another application_id, "
            "which learns the log from its start"
        )


def _named(settings: dict[str, Any], labels: dict[str, int]) -> dict[str, Any]:
    """Return settings by the names that they have in the settings file."""
    # A state from before there were any has none of them: whatever they are now changes nothing.
    learner = {name: value for name, value in settings.items() if name != _LABELS}
    return _flat(learner, "learner") | _flat(settings.get(_LABELS, labels), _LABELS)


def _flat(settings: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return settings by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        dotted = f"{prefix}.{name}"
        if isinstance(value, dict):
            flat |= _flat(value, dotted)
        else:
            flat[dotted] = value
    return flat
