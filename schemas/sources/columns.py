"""Columns named on a command line, as the mapping that they stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from schemas.errors import ConfigError
from schemas.mapping import Mapping
from schemas.mapping.path import escape
from schemas.sources.formats import Format

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPARSE = (Format.LIBSVM, Format.VOWPAL_WABBIT)
_SPARSE_FEATURES = {"field": "features.*", "name": "*"}
_LITERAL = re.compile(r"[\\.]")


@dataclass(frozen=True)
class ColumnOptions:
    """Which columns of a file are what. The default of each is what a file most often needs.

    In CSV a column is named as the header has it, dots included; in JSON Lines and Avro by its
    dotted path. ``*`` stands for any characters where several columns can be named.

    Attributes:
        id: what the event is about. Default: each row its own, by its line.
        event_id: what tells the event from others. Default: its line.
        tenant: column with the tenant.
        tenant_name: the tenant of every row, where no column has it.
        time: when it happened. Default: the time of the row as a record, see ``map_rows``.
        time_unit: ``s``, ``ms``, ``us``, ``ns`` or ``iso8601``.
        time_format: ``strptime`` format, instead of a unit.
        label: what is to be learnt. Default: none, but ``label`` of LIBSVM and Vowpal Wabbit.
        features: numbers as numbers, all else as categories. Default: all that is named nowhere.
        categories: categories even where they look like numbers.
        exclude: columns that are no features.
        key: numbers of the key vector; one column of JSON Lines or Avro holds a list instead.
        query: the same for the query vector.
        value: the same for the value vector.
        context: categories that the gate sees.
        missing: strings that stand for no value, such as ``NA``.
    """

    id: str | None = None
    event_id: str | None = None
    tenant: str | None = None
    tenant_name: str = "default"
    time: str | None = None
    time_unit: str | None = None
    time_format: str | None = None
    label: str | None = None
    features: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    value: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def mapping(self, file_format: Format) -> Mapping:
        """The mapping that these options stand for.

        Raises:
            ConfigError: the options contradict each other or are malformed.
        """
        if self.time and not (self.time_unit or self.time_format) and file_format != Format.AVRO:
            raise ConfigError(
                f"the time column {self.time!r} needs a unit (s, ms, us, ns, iso8601) or a format"
            )
        try:
            return Mapping.model_validate(self._document(file_format))
        except ValidationError as error:
            faults = "; ".join(
                f"{_place(one['loc'])}: {one['msg'].removeprefix('Value error, ')}"
                for one in error.errors()
            )
            raise ConfigError(f"the column options cannot be used: {faults}") from error

    def _document(self, file_format: Format) -> dict[str, Any]:
        columns = _Columns(flat=file_format is Format.CSV)
        sparse = file_format in _SPARSE
        label = self.label or ("label" if sparse else None)
        position = {"record": "position"}
        written_time = {
            "field": columns.one(self.time or ""),
            "unit": self.time_unit,
            "format": self.time_format,
        }
        features: dict[str, list[Any]] = {
            "auto": columns.several(self.features) or [_SPARSE_FEATURES if sparse else "*"],
            "categories": columns.several(self.categories),
            "exclude": columns.several(self.exclude),
        }
        return {
            "tenant": columns.one(self.tenant) if self.tenant else {"constant": self.tenant_name},
            "id": columns.one(self.id) if self.id else position,
            "event_id": columns.one(self.event_id) if self.event_id else position,
            "time": written_time if self.time else {"record": "timestamp"},
            "label": columns.one(label) if label else None,
            "features": features,
            "key": columns.vector(self.key),
            "query": columns.vector(self.query),
            "value": columns.vector(self.value),
            "context": [columns.one(name) for name in self.context],
            "missing": self.missing,
        }


def _place(location: tuple[str | int, ...]) -> str:
    return ".".join(str(part) for part in location) or "together"


@dataclass(frozen=True)
class _Columns:
    """Columns as paths; in a flat format a dot is a character like any other."""

    flat: bool

    def one(self, name: str) -> str:
        return escape(name) if self.flat else name

    def several(self, names: Iterable[str]) -> list[str]:
        return [_LITERAL.sub(r"\\\g<0>", name) if self.flat else name for name in names]

    def vector(self, names: tuple[str, ...]) -> Any:
        if not names:
            return None
        if len(names) == 1 and not self.flat:
            return {"field": names[0]}
        return {"fields": [self.one(name) for name in names]}
