"""``weir down``: the end of what ``weir up`` started."""

import shutil
from typing import Annotated

from deploy.broker.choose import stop_broker
from streams.cli.broker import broker_errors, broker_home
from streams.cli.console import messages, output
from streams.cli.options import DataDir, flag, read_settings

EXAMPLES = ("weir down", "weir down --purge")


def command(
    purge: Annotated[
        bool,
        flag(
            "--purge",
            help="Also delete the local broker's data and all worker state; secrets stay.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Stop the broker that `weir up` started.

    Topics stay on disk for the next `weir up`, unless they are purged. Stop workers first.
    """
    settings = read_settings(data_dir=data_dir)
    home = broker_home(settings)
    with messages().status("Stopping Kafka …"), broker_errors():
        stopped = stop_broker(home)
    out = output()
    out.print("no broker of `weir up` runs here" if stopped is None else f"stopped ({stopped})")
    if not purge:
        return
    # State that outlives its topics is refused by every worker: both go, or none.
    for folder in (home, settings.data_dir / "state"):
        if folder.exists():
            shutil.rmtree(folder)
            out.print(f"deleted {folder}")
    if stopped == "docker":
        out.print("topics are in docker's volume: `docker compose down --volumes` deletes it")
