"""Reading a mapping file, with errors that name the line, the field and what to do.

The file is YAML as its version 1.2 reads it: ``yes``, ``no``, ``on`` and ``off`` are strings (they
are common label values), dates are strings, and a key given twice is an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from schemas.errors import ConfigError
from schemas.mapping.model import Mapping

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

# The deepest part of a mapping, features.numbers[0].standardise.std, and some. An alias can make a
# document contain itself.
_DEEPEST = 8

Location = tuple[str | int, ...]
_IMPLICIT = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    """YAML 1.2's booleans, no dates, no duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # refused below: a list or an object is no key
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern)
        for tag, pattern in resolvers
        if tag not in {f"{_IMPLICIT}bool", f"{_IMPLICIT}timestamp"}
    ]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    f"{_IMPLICIT}bool", re.compile("true|True|TRUE|false|False|FALSE"), list("tTfF")
)


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping file; file names in it are relative to it.

    Raises:
        ConfigError: the file cannot be read, is no YAML, or says what a mapping cannot mean; the
            faults are listed with their lines.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"mapping {path} cannot be read ({error}); give the path of a UTF-8 YAML file"
        ) from error
    return parse_mapping(text, path)


def parse_mapping(text: str, path: Path) -> Mapping:
    """Check the text of a mapping file.

    Args:
        text: YAML.
        path: where it stands; files that it names are looked for in the same folder.

    Raises:
        ConfigError: as ``load_mapping`` says.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document = loader.construct_document(node) if node is not None else None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(
            f"mapping {path} is no valid YAML: line {line}: {error.problem}; correct that line"
        ) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"mapping {path} is no valid YAML: {error}; correct it") from error
    if not isinstance(document, dict):
        raise ConfigError(
            f"mapping {path} holds no fields; begin with `tenant:`, `id:`, `time:`, `features:`, "
            "see docs/mapping.md"
        )
    try:
        return Mapping.model_validate(document, context={"base": path.parent})
    except ValidationError as error:
        lines = dict(_lines(node, ()))
        faults = "\n".join(f"  {_fault(one, lines)}" for one in error.errors())
        raise ConfigError(
            f"mapping {path} cannot be used:\n{faults}\nCorrect it; docs/mapping.md has all fields."
        ) from error


def _lines(node: yaml.Node | None, at: Location) -> Iterator[tuple[Location, int]]:
    """The line, counted from 1, on which each part of the document begins."""
    if node is None or len(at) > _DEEPEST:
        return
    if not at:
        yield at, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*at, key.value), key.start_mark.line + 1
            yield from _lines(value, (*at, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*at, index), value.start_mark.line + 1
            yield from _lines(value, (*at, index))


def _fault(error: ErrorDetails, lines: dict[Location, int]) -> str:
    """One validation error as ``line 4, features.numbers[1].transform: what is wrong``.

    pydantic's location also holds parts that are not in the file (a union's branch, the long form
    of a field written short): those are left out, and the line is that of the nearest part that is.
    """
    location: Location = error["loc"]
    if error["type"] == "unknown_field":
        location = (*location, error["ctx"]["field"])
    written: Location = ()
    for part in location:
        if (*written, part) in lines:
            written = (*written, part)
    named = written
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "missing":
        named = (*written, location[-1])
        message = "is missing; every mapping names it"
    elif error["type"] == "model_type":
        message = "an object is meant here, with a `name: value` for each thing it says"
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in named)
    return f"line {lines[written]}{', ' + place.lstrip('.') if place else ''}: {message}"
