"""What all parts of a mapping file have in common."""

from __future__ import annotations

import difflib
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from schemas.mapping.path import FieldPath


class Part(BaseModel):
    """One part; it says nothing that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        """Answer a misspelt field with the one that is meant; ``extra`` would only refuse it."""
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for name in value if isinstance(value, dict) else ():
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                raise PydanticCustomError(
                    "unknown_field",
                    "unknown field; {advice}",
                    {
                        "field": name,
                        "advice": f"did you mean {close[0]!r}?"
                        if close
                        else f"known here: {', '.join(known)}",
                    },
                )
        return value


class FieldPart(Part):
    """A part that can be written as its path alone."""

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"field": value} if isinstance(value, str | int) else value


def _path(value: Any) -> Any:
    """YAML reads a column called ``1`` as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str):
        FieldPath.parse(value)
    return value


def _one_path(value: Any) -> Any:
    value = _path(value)
    if isinstance(value, str) and FieldPath.parse(value).is_glob:
        raise ValueError(
            r"one field is meant here, so `*` cannot stand in its path; a real star is `\*`"
        )
    return value


Path = Annotated[str, BeforeValidator(_path)]
OnePath = Annotated[str, BeforeValidator(_one_path)]
