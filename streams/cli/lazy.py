"""Commands that are imported when they are called, so that each one starts as fast as it can."""

from __future__ import annotations

import inspect
from functools import cached_property
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand


class LazyCommand(TyperCommand):
    """Stands in a group for a command whose module is not imported yet.

    Args:
        name: name of the command.
        module: full name of the module, see ``streams.cli``.
        summary: one line for the group's help.
    """

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self.module = module

    @cached_property
    def loaded(self) -> Any:
        """The command itself."""
        module = import_module(self.module)
        app = typer.Typer(add_completion=False, rich_markup_mode="rich")
        app.command(
            self.name,
            help=_unwrapped(module.command.__doc__),
            epilog=examples_epilog(*module.EXAMPLES),
        )(module.command)
        return typer.main.get_command(app)

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Parse the arguments with the command itself; its context runs it."""
        return self.loaded.make_context(info_name, args, parent=parent, **extra)


def examples_epilog(*lines: str) -> str:
    """Return the end of a help text that shows how a command is called."""
    return "\n".join((f"[bold]Example{'s' if len(lines) > 1 else ''}[/bold]", *lines))


def _unwrapped(docstring: str) -> str:
    """Join the lines of each paragraph, for the terminal to wrap them where it ends."""
    return "\n\n".join(
        " ".join(paragraph.split()) for paragraph in inspect.cleandoc(docstring).split("\n\n")
    )
