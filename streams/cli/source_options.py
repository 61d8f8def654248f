"""Options that say what is in a file: its format, and a mapping file or columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from schemas.errors import ConfigError
from schemas.mapping import load_mapping
from schemas.sources import ColumnOptions, Format, guess_format
from streams.feed import FileEvents

_PANEL = "Columns"
_PREFIX = "column_"  # keeps their parameters apart from those of the command


class _Column(NamedTuple):
    """An option that names columns."""

    option: str
    text: str
    metavar: str = "COLUMN"

    def declare(self) -> Any:
        return typer.Option(
            self.option, metavar=self.metavar, help=self.text, rich_help_panel=_PANEL
        )


def _columns(option: str, text: str) -> _Column:
    return _Column(option, text, metavar="A,B,…")


# Field of ColumnOptions → its option.
_OF_COLUMNS = {
    "id": _Column("--id", "What the event is about; default: the line."),
    "event_id": _Column("--event-id", "What tells it from other events; default: the line."),
    "tenant": _Column("--tenant-column", "Whose event it is."),
    "time": _Column("--time", "When it happened."),
    "time_unit": _Column("--time-unit", "s, ms, us, ns or iso8601, of the time column.", "UNIT"),
    "time_format": _Column(
        "--time-format", "Format of the time column, as strptime has it.", "FORMAT"
    ),
    "label": _Column("--label", "What is to be learnt."),
    "features": _columns("--features", "What it is learnt from; default: all other columns."),
    "categories": _columns(
        "--categories", "Features that are no numbers even where they look like it."
    ),
    "exclude": _columns("--exclude", "Columns that are no features."),
    "key": _columns("--key", "Numbers of the attention's key."),
    "query": _columns("--query", "Numbers of the attention's query."),
    "value": _columns("--value", "Numbers of the attention's value."),
    "context": _columns("--context", "Categories that the gate sees."),
    "missing": _columns("--missing", "Texts that stand for no value, such as NA."),
}

_OF_FILES: dict[str, Any] = {
    "file_format": Annotated[
        Format | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv, jsonl, libsvm, vw or avro; default: what the file's name says.",
        ),
    ],
    "delimiter": Annotated[
        str | None,
        typer.Option("--delimiter", metavar="CHAR", help="Of CSV; default: found out."),
    ],
    "mapping": Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="Mapping file, instead of columns."),
    ],
}


@dataclass(frozen=True)
class FileOptions:
    """What the options say of a file.

    Attributes:
        file_format: its format; None: what its name says.
        delimiter: of CSV.
        mapping: mapping file.
        columns: field of ``ColumnOptions`` → what was given for it.
    """

    file_format: Format | None
    delimiter: str | None
    mapping: Path | None
    columns: Mapping[str, str]

    def events(self, path: Path) -> FileEvents:
        """Return the events of a file.

        Raises:
            ConfigError: both a mapping and columns are given, or either cannot be used.
        """
        file_format = self.file_format or guess_format(path)
        if self.mapping is None:
            mapping = _column_options(self.columns).mapping(file_format)
        elif self.columns:
            given = ", ".join(_OF_COLUMNS[name].option for name in self.columns)
            raise ConfigError(
                f"{self.mapping} says which columns are what: leave out {given}, or the mapping"
            )
        else:
            mapping = load_mapping(self.mapping)
        return FileEvents(path, mapping, file_format, self.delimiter)


def _column_options(given: Mapping[str, str]) -> ColumnOptions:
    defaults = ColumnOptions()
    fields: dict[str, Any] = {}
    for name, text in given.items():
        several = isinstance(getattr(defaults, name), tuple)
        fields[name] = tuple(part.strip() for part in text.split(",")) if several else text
    return ColumnOptions(**fields)


def takes_file(run: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a file; its parameter ``file`` receives them together."""

    @wraps(run)
    def command(**given: Any) -> None:
        of_file = {name: given.pop(name) for name in _OF_FILES}
        columns = {name: given.pop(_PREFIX + name) for name in _OF_COLUMNS}
        set_columns = {name: text for name, text in columns.items() if text is not None}
        run(**given, file=FileOptions(**of_file, columns=set_columns))

    own = signature(run)
    columns = {
        _PREFIX + name: Annotated[str | None, column.declare()]
        for name, column in _OF_COLUMNS.items()
    }
    added = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, annotation in {**_OF_FILES, **columns}.items()
    ]
    kept = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY)
        for name, parameter in own.parameters.items()
        if name != "file"
    ]
    parameters = [*kept, *added]
    # Typer reads both.
    command.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {
        "return": None
    }
    return command
