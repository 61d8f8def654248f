"""``weir demo``: real data through a real broker, watched, disturbed and verified."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from streams.cli import exit_codes
from streams.cli.console import messages, output
from streams.cli.options import Bootstrap, DataDir, flag, read_settings
from streams.demo.acts import Act, Plan
from streams.demo.problems import Dataset

EXAMPLES = (
    "weir demo",
    "weir demo --act conversations",
    "weir demo --dataset phishing --rounds 8 --rate 1000 --no-crash",
    "weir demo --bootstrap kafka-1:9092",
)


def command(
    act: Annotated[
        Act,
        typer.Option("--act", metavar="NAME", help="learning, conversations or both."),
    ] = Act.BOTH,
    dataset: Annotated[
        Dataset,
        typer.Option("--dataset", metavar="NAME", help="phishing, bananas or both."),
    ] = Dataset.BOTH,
    rounds: Annotated[
        int,
        typer.Option("--rounds", metavar="N", min=1, help="So many times 1,250 rows of each."),
    ] = 4,
    rate: Annotated[
        float, typer.Option("--rate", metavar="N", min=1.0, help="Messages a second.")
    ] = 300.0,
    no_crash: Annotated[
        bool, flag("--no-crash", help="Do not kill workers in the middle.")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="FILE",
            help="Save the view, as it was at the end of each act, as SVG.",
        ),
    ] = None,
    bootstrap: Bootstrap = None,
    data_dir: DataDir = None,
) -> None:
    """Stream real data through a real broker and watch it learn.

    Starts Kafka, unless one runs, and a worker. Sends data sets that come with the River library as
    events, each as a tenant of its own, with a few broken messages among them. Then types four
    conversations, piece by piece, some with made-up secrets in them, and shows the verdicts on them
    as they come. Kills the worker in the middle of each act and starts another one. At the end
    reads everything back: each event must have exactly one prediction, the audit trail must verify,
    and the same messages run offline must give the same audit roots; each conversation must have
    exactly one final verdict, that of the same text in one piece.

    Takes less than two minutes. Leaves its topics on the broker, and settings, logs, numbers and
    curves in .weir/demo/. Exit code 0 only if everything holds.
    """
    # So that a terminated run stops its worker and its broker, as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    settings = read_settings(broker__bootstrap=bootstrap, data_dir=data_dir)
    # What follows takes seconds to import.
    with messages().status("Weir demo …"):
        from streams.demo.director import Director  # noqa: PLC0415 - see above
        from streams.demo.picture import KeepFrame, save_picture  # noqa: PLC0415 - the same
        from streams.demo.plot import save_plot  # noqa: PLC0415 - the same
        from streams.demo.screens import open_screen  # noqa: PLC0415 - the same
    plan = Plan(act, dataset, rounds, rate, crash=not no_crash)
    console = output()
    try:
        with open_screen(console) as screen:
            kept = KeepFrame(screen)
            report = Director(plan, settings, kept).run()
    except KeyboardInterrupt:
        messages().print("interrupted; what this run had started is stopped")
        raise typer.Exit(exit_codes.INTERRUPTED) from None
    if report.problems:
        save_plot(report)
    if picture is not None and kept.frames:
        save_picture(picture, kept.frames.values())
    console.print(report.render())
    raise typer.Exit(report.exit_code)
