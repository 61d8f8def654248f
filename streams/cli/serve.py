"""``weir serve``: the scanner behind POST /scan and GET /warmup."""

import threading
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from streams.cli.console import messages
from streams.cli.options import read_settings
from streams.cli.scan import Model, PolicyFile
from streams.dlp import package, policy_file
from streams.dlp.live import LiveScanner, Sources
from streams.dlp.scanner import Exits
from streams.dlp.service import LARGEST, build_service
from streams.keys import open_secrets
from streams.service.access import Access
from streams.service.server import uvicorn_config

EXAMPLES = (
    "weir serve",
    "weir serve --port 8080 --workers 2 --policy policy.yaml",
    "weir serve --shadow-policy candidate.yaml",
)


def command(
    host: Annotated[str, typer.Option("--host", metavar="HOST", help="Address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="PORT", help="Port.")] = 8090,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="Messages at a time, a core each.")
    ] = 1,
    waiting: Annotated[
        int,
        typer.Option("--waiting", metavar="N", min=0, help="Messages that may wait; then 429."),
    ] = 16,
    largest: Annotated[
        int, typer.Option("--largest", metavar="BYTES", min=1_000, help="Of a request, at most.")
    ] = LARGEST,
    model: Model = package.SHIPPED,
    policy: PolicyFile = policy_file.SHIPPED,
    shadow_model: Annotated[
        Path | None,
        typer.Option("--shadow-model", metavar="DIR", help="Candidate that is only counted."),
    ] = None,
    shadow_policy: Annotated[
        Path | None, typer.Option("--shadow-policy", metavar="FILE", help="The same, of policies.")
    ] = None,
    provider: Annotated[
        list[str] | None,
        typer.Option("--provider", metavar="NAME", help="ONNX Runtime's; default: the CPU's."),
    ] = None,
) -> None:
    """Scan messages over HTTP.

    POST /scan takes a message and gives a verdict, GET /warmup loads everything and says what
    serves, /docs has the API. Model and policy are read again when their files change; what cannot
    be loaded changes nothing. A candidate of either can scan along: /warmup counts how often it
    would have said something else.

    Callers are those of the settings (http.tokens, http.certificates) that have the scope scan;
    where there are none, it can be bound to this machine's own address only.
    """
    settings = read_settings(http__host=host, http__port=port)
    http = settings.http.model_copy(update={"service": True})
    access = Access.open(http, open_secrets(settings))
    say = messages()
    providers = tuple(provider or ("CPUExecutionProvider",))
    sources = Sources(model, policy, Exits(), providers)
    shadow = None
    if shadow_model is not None or shadow_policy is not None:
        shadow = Sources(shadow_model or model, shadow_policy or policy, Exits(), providers)
    scanner = LiveScanner(sources, shadow, lambda fault: say.print(f"not reloaded: {fault}"))
    stopped = threading.Event()
    threading.Thread(target=scanner.watch, args=(stopped,), name="reload", daemon=True).start()
    api = build_service(
        lambda: scanner, workers=workers, waiting=waiting, largest=largest, access=access
    )
    scheme = "http" if http.certificate_file is None else "https"
    say.print(f"listening on {scheme}://{host}:{port} (API: /docs)")
    try:
        uvicorn.Server(uvicorn_config(api, http)).run()
    finally:
        stopped.set()
