"""``weir worker``: one process of the application."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from streams import logs
from streams.cli.broker import reach_broker
from streams.cli.options import Bootstrap, DataDir, read_settings

EXAMPLES = (
    "weir worker",
    "weir worker --bootstrap kafka-1:9092,kafka-2:9092 --member worker-0 --http-port 0",
)


def command(
    bootstrap: Bootstrap = None,
    application_id: Annotated[
        str | None,
        typer.Option(
            "--application-id", metavar="ID", help="Consumer group, and first part of all names."
        ),
    ] = None,
    data_dir: DataDir = None,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", metavar="FILE", help="Mapping of a foreign events topic."),
    ] = None,
    member: Annotated[
        str | None,
        typer.Option(
            "--member",
            metavar="NAME",
            help="Name that survives restarts: the worker keeps its shards over a short absence.",
        ),
    ] = None,
    http_port: Annotated[
        int | None,
        typer.Option(
            "--http-port",
            metavar="PORT",
            help="Port of the service, /metrics, /healthz, /readyz; 0 for any free one.",
        ),
    ] = None,
    log_level: Annotated[
        logs.Level,
        typer.Option("--log-level", metavar="LEVEL", help="debug, info, warning or error."),
    ] = logs.Level.INFO,
) -> None:
    """Serve shards: read events, predict, learn, audit, commit.

    Runs until SIGTERM or SIGINT, which let the units of work in flight commit. Start as many as you
    like: the shards are shared out among them. Everything else is set in the settings file or the
    environment, such as WEIR_STREAM__GATHER_MS=50.
    """
    settings = read_settings(
        broker__bootstrap=bootstrap,
        application_id=application_id,
        data_dir=data_dir,
        mapping=mapping,
        stream__static_member=member,
        http__port=http_port,
    )
    settings = reach_broker(settings)
    logs.configure(log_level)
    # Faust binds to the policy when it is imported: nothing of it may be, up to here.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    from streams.worker import Worker  # noqa: PLC0415 - see above

    raise typer.Exit(Worker(settings).run())
