"""Writes the reference of all commands from what they declare: ``python -m streams.cli.reference``.

The page docs/commands.md is written by hand down to a mark, and from there on by this program. A
test holds the page to it.
"""

from __future__ import annotations

import sys
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

from streams.cli.lazy import LazyCommand
from streams.cli.main import app

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
MARK = "<!-- from here on: python -m streams.cli.reference -->\n"


def reference() -> str:
    """Return the reference in Markdown, the commands in the order of ``weir --help``."""
    group: Any = typer.main.get_command(app)
    parts = [_options(group.params)]
    for command in group.commands.values():
        assert isinstance(command, LazyCommand)
        parts.append(_command(command))
    return "\n\n".join(parts) + "\n"


def with_reference(page: str) -> str:
    """Return a page with the reference after its mark anew."""
    head, mark, _ = page.partition(MARK)
    if not mark:
        raise ValueError(f"the page has no line {MARK.strip()!r}")
    return f"{head}{mark}\n{reference()}"


def _command(command: LazyCommand) -> str:
    loaded = command.loaded
    arguments = [_argument(one) for one in loaded.params if one.param_type_name == "argument"]
    usage = " ".join(["weir", str(command.name), "[OPTIONS]", *arguments])
    examples = "\n".join(import_module(command.module).EXAMPLES)
    return "\n\n".join(
        (
            f"## `weir {command.name}`",
            _escaped(loaded.help),
            f"```\n{usage}\n```",
            _options(loaded.params),
            f"```sh\n{examples}\n```",
        )
    )


def _argument(parameter: Any) -> str:
    name = str(parameter.metavar or parameter.name.upper())
    return name if parameter.required else f"[{name}]"


def _options(parameters: list[Any]) -> str:
    rows = ["| option | |", "| --- | --- |"]
    for one in parameters:
        if one.name in ("help", "install_completion", "show_completion"):
            continue
        if one.param_type_name == "argument":
            spelt = _argument(one)
        else:
            spelt = f"{', '.join(one.opts)} {one.metavar or ''}".strip()
        text = _escaped(one.help)
        shown = one.param_type_name == "option" and one.show_default is not False
        if shown and one.default not in (None, False):
            default = one.default.value if isinstance(one.default, Enum) else one.default
            text += f" Default: {default}."
        spelt = spelt.replace("|", "\\|")
        rows.append(f"| `{spelt}` | {text} |")
    return "\n".join(rows)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(with_reference(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
