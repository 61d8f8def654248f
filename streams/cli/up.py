"""``weir up``: a broker on this machine, with what a worker needs."""

from typing import Annotated, Literal, cast

import typer

from deploy.broker.choose import choose_broker
from deploy.broker.local import DEFAULT_PORT
from schemas.errors import ConfigError
from streams.cli.broker import broker_errors, broker_home, with_bootstrap
from streams.cli.console import messages, output
from streams.cli.keys import make_secrets
from streams.cli.options import DataDir, read_settings
from streams.kafka.clients import client_config
from streams.kafka.topics import SOURCE_ROLE, create_source
from streams.settings import Settings

EXAMPLES = ("weir up", "weir up --brokers 3 --port 19092")


def command(
    brokers: Annotated[
        int,
        typer.Option("--brokers", metavar="1|3", help="How many; three survive the loss of one."),
    ] = 1,
    port: Annotated[
        int,
        typer.Option(
            "--port", metavar="PORT", help="Port of the first broker; 0 for any free one."
        ),
    ] = DEFAULT_PORT,
    data_dir: DataDir = None,
) -> None:
    """Start a Kafka broker on this machine and make what a worker needs.

    Takes the first that can be had: the address in the settings; a broker that runs already;
    docker, where its engine answers; a local Kafka, where java and mvn are installed (the first
    time its files are fetched, 44 MB). Then makes the events topic and, where there are none,
    secrets.
    """
    if brokers not in (1, 3):
        raise ConfigError(f"--brokers {brokers}: 1 or 3 brokers can be started here")
    settings = read_settings(data_dir=data_dir)
    say = messages()
    with say.status("Starting Kafka …"), broker_errors():
        handle = choose_broker(
            settings.broker.bootstrap,
            broker_home(settings),
            brokers=cast("Literal[1, 3]", brokers),
            base_port=port,
            client=_security(settings),
        )
    for note in handle.notes:
        say.print(f"[dim]{note}[/dim]", soft_wrap=True)
    settings = with_bootstrap(settings, handle.bootstrap)
    create_source(settings)
    make_secrets(settings)
    where = {"address": "given in the settings", "docker": "in docker", "local": "on this machine"}
    out = output()
    out.print(
        f"[bold green]Kafka[/bold green] {where[handle.kind]}: [bold]{handle.bootstrap}[/bold]"
    )
    out.print(
        f"topic [bold]{settings.topics.name(SOURCE_ROLE)}[/bold]: "
        f"{settings.topics.partitions} partitions, one a shard"
    )
    out.print("\nNext, each in a terminal of its own:")
    steps = {
        "weir worker": "learns and predicts",
        "weir produce FILE": "sends rows as events",
        "weir tail": "shows predictions",
    }
    width = max(map(len, steps))
    for line, purpose in steps.items():
        out.print(f"  {line.ljust(width)}  [dim]# {purpose}[/dim]")
    out.print("and `weir down` when you are done.")


def _security(settings: Settings) -> dict[str, str] | None:
    if settings.broker.bootstrap is None:
        return None
    config = client_config(settings.broker)
    return {
        name: value if isinstance(value, str) else str(value).lower()
        for name, value in config.items()
    }
