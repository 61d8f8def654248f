"""What the groups of settings are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from pathlib import Path

Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """A group of settings; unknown names are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def existing_file(path: Path | None) -> Path | None:
    """Return the path of a file that is there, for validators.

    Raises:
        ValueError: it is not.
    """
    if path is not None and not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path
