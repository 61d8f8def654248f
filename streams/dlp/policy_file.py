"""Policies as files that a person edits; `streams/dlp/policy.yaml` is the one that is shipped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from operators.dlp.policy import Audience, Decision, Policy, Rule
from operators.dlp.tags import SCORES, TYPES
from streams.dlp.errors import PolicyUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

SHIPPED: Final = Path(__file__).with_name("policy.yaml")

Probability = Annotated[float, Field(ge=0, le=1)]


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    decision: Decision
    rationale: str = Field(min_length=1)
    types: frozenset[str] = frozenset()
    count: int = Field(default=0, ge=0)
    validated: bool = False
    confidence: Probability = 0.0
    above: dict[str, Probability] = {}
    below: dict[str, Probability] = {}
    audience: frozenset[Audience] = frozenset()

    @field_validator("types")
    @classmethod
    def _are_tags(cls, types: frozenset[str]) -> frozenset[str]:
        if unknown := types - set(TYPES):
            raise ValueError(f"{sorted(unknown)}: tags are {', '.join(TYPES)}")
        return types

    @field_validator("above", "below")
    @classmethod
    def _are_scores(cls, bounds: Mapping[str, float]) -> Mapping[str, float]:
        if unknown := set(bounds) - set(SCORES):
            raise ValueError(f"{sorted(unknown)}: scores are {', '.join(SCORES)}")
        return bounds


class _Policy(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: str = Field(min_length=1)
    rules: tuple[_Rule, ...]

    @field_validator("rules")
    @classmethod
    def _differ(cls, rules: tuple[_Rule, ...]) -> tuple[_Rule, ...]:
        names = [rule.name for rule in rules]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"rules of one name: {sorted(twice)}")
        return rules


def load(path: Path = SHIPPED) -> Policy:
    """Read a policy.

    Raises:
        PolicyUnusable: the file cannot be read, or says what a policy cannot say.
    """
    try:
        read = _Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise PolicyUnusable(f"{path}: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()
        )
        raise PolicyUnusable(f"{path}: {faults}") from error
    return Policy(read.version, tuple(Rule(**dict(rule)) for rule in read.rules))
