"""``weir topology``: a drawing of the application."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import ConfigError
from streams.cli.broker import with_bootstrap
from streams.cli.console import messages, print_json
from streams.cli.options import AsJson, read_settings
from streams.topology.graph import topology_of
from streams.topology.layout import lay_out
from streams.topology.svg import as_svg
from streams.topology.text import as_text

EXAMPLES = ("weir topology", "weir topology --svg topology.svg")

_NOT_CONTACTED = "localhost:9092"  # Faust wants an address to be built, and connects later


def command(
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Write an SVG file instead.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw the agents, topics and tables of the application.

    What a worker would run with these settings; needs no broker.
    """
    settings = read_settings()
    if settings.broker.bootstrap is None:
        settings = with_bootstrap(settings, _NOT_CONTACTED)
    topology = topology_of(settings)
    if as_json:
        print_json(asdict(topology))
        return
    layout = lay_out(topology)
    if svg is None:
        print(as_text(layout))
        return
    try:
        svg.write_text(
            as_svg(layout, f"Agents, topics and tables of {settings.application_id}"),
            encoding="utf-8",
        )
    except OSError as error:
        raise ConfigError(f"--svg {svg} cannot be written: {error.strerror}") from error
    messages().print(f"wrote {svg}")
