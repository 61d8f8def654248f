"""``weir``: parses the command line, runs one command, and turns errors into exit codes."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
import traceback
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from schemas.errors import WeirError
from streams.cli import exit_codes
from streams.cli.lazy import LazyCommand, examples_epilog
from streams.cli.options import flag

# In the order in which one meets them.
COMMANDS = {
    "up": ("streams.cli.up", "Start a Kafka broker on this machine and make what a worker needs."),
    "down": ("streams.cli.down", "Stop the broker that `weir up` started."),
    "demo": ("streams.cli.demo", "Stream real data through a real broker and watch it learn."),
    "worker": ("streams.cli.worker", "Serve shards: read events, predict, learn, audit, commit."),
    "produce": ("streams.cli.produce", "Send the rows of a file as events."),
    "tail": ("streams.cli.tail", "Show predictions or other outputs as they are committed."),
    "inspect": ("streams.cli.inspect", "Show topics, lag, shards, cells and chain heads."),
    "topology": ("streams.cli.topology", "Draw the agents, topics and tables of the application."),
    "verify": ("streams.cli.verify", "Verify the audit trail, from the topics or from files."),
    "prove": ("streams.cli.prove", "Prove what the audit trail holds, or check such a proof."),
    "witness": (
        "streams.cli.witness",
        "Watch the audit trail, cosign it, and prove forks.",
    ),
    "export": ("streams.cli.export", "Export the audit trail to objects that nobody changes."),
    "snapshot": ("streams.cli.snapshot", "Show, check and prune snapshots."),
    "replay": ("streams.cli.replay", "Step the log again, with the same bytes."),
    "rewind": (
        "streams.cli.rewind",
        "Set the group back: state, offsets, and a new epoch in the audit chains.",
    ),
    "reshard": (
        "streams.cli.reshard",
        "Copy the log into a new application with another number of shards, and cut over.",
    ),
    "quarantine": (
        "streams.cli.quarantine",
        "List, show and send again what could not be used.",
    ),
    "keys": ("streams.cli.tenant_keys", "Make, list, rotate and destroy the tenants' data keys."),
    "audit-key": ("streams.cli.audit_key", "Print the public key that audit trails verify with."),
    "map": ("streams.cli.map", "Check a mapping file against samples of a topic or file."),
    "backtest": ("streams.cli.backtest", "Run a file through the same steps, without Kafka."),
    "scan": (
        "streams.cli.scan",
        "Find what must not leak in a text, and say what the policy decides about it.",
    ),
    "serve": ("streams.cli.serve", "Scan messages over HTTP."),
    "eval": (
        "streams.cli.evaluate",
        "Measure the scanner on generated messages, or on your own labelled texts.",
    ),
    "report": (
        "streams.cli.report",
        "Report latency, calibration, revisions, failures and boundaries, as one page.",
    ),
    "train": (
        "streams.cli.train",
        "Train the scanner's model, or fine-tune it on your own labelled messages.",
    ),
    "bench": ("streams.cli.bench", "Measure, against peers, on this machine."),
}


class WeirGroup(TyperGroup):
    """The commands; prints errors that are meant for the user as one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (module, summary) in COMMANDS.items():
            if importlib.util.find_spec(module) is not None:
                self.add_command(LazyCommand(name, module, summary))

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the arguments name."""
        try:
            return super().invoke(ctx)
        except WeirError as error:
            _report(str(error), error, ctx.params["debug"])
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:
            raise
        except OSError as error:
            _report(f"{error.strerror or error}: {error.filename}", error, ctx.params["debug"])
            raise typer.Exit(exit_codes.STATE) from error


def _report(text: str, error: BaseException, debug: bool) -> None:
    from streams.cli.console import messages  # noqa: PLC0415 - rich takes a while to import

    if debug:
        traceback.print_exception(error)
    messages().print(f"[bold red]error:[/bold red] [red]{_escaped(text)}[/red]", soft_wrap=True)


def _escaped(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415 - the same

    return escape(text)


app = typer.Typer(
    cls=WeirGroup, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="rich"
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(importlib.metadata.version("weir"))
        raise typer.Exit


@app.callback(epilog=examples_epilog("weir demo"))
def weir(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Settings file; default: weir.toml where it is there. WEIR_CONFIG does the same.",
        ),
    ] = None,
    debug: Annotated[bool, flag("--debug", help="Show where errors come from.")] = False,  # noqa: ARG001 - read from the context where errors are reported
    version: Annotated[  # noqa: ARG001 - its callback prints and exits
        bool,
        flag("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """A gate on your Kafka stream that learns, catches leaks, and can prove what it did."""
    if config is not None:
        os.environ["WEIR_CONFIG"] = str(config)


def main() -> None:
    """Run the program; what no command expected is a bug, and shows where it came from."""
    try:
        app()
    except Exception:  # noqa: BLE001 - the last place that can say anything
        traceback.print_exc()
        sys.stderr.write("This is a bug in weir: please report it with the lines above.\n")
        sys.exit(exit_codes.BUG)
