"""The Kafka service of docker-compose.yml, where a docker engine answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from deploy.broker.errors import ToolError

COMPOSE_FILE = Path(__file__).parents[2] / "docker-compose.yml"
SERVICE = "kafka"
HOST_LISTENER = 9092
"""Port inside the container of the listener that is advertised to this machine."""

_ASK_TIMEOUT_S = 20
_UP_TIMEOUT_S = 600  # the first time the image is pulled


def engine_fault() -> str | None:
    """Say why docker cannot be used here; None if its engine answers."""
    if shutil.which("docker") is None:
        return "it is not installed; install Docker and its compose plugin"
    try:
        _docker("info", "--format", "{{.ServerVersion}}", timeout_s=_ASK_TIMEOUT_S)
    except ToolError as error:
        return f"its engine does not answer ({error}); start it"
    return None


def compose_fault() -> str | None:
    """Say why the compose file cannot be used here; None if it can."""
    fault = engine_fault()
    if fault is not None:
        return fault
    try:
        _docker("compose", "version", timeout_s=_ASK_TIMEOUT_S)
    except ToolError as error:
        return f"it has no compose plugin ({error}); install that"
    if not COMPOSE_FILE.exists():
        return f"{COMPOSE_FILE} is not there; it comes with the source, not with the package"
    return None


class ComposeBroker:
    """The one broker of docker-compose.yml."""

    @property
    def bootstrap(self) -> str:
        """Address for clients on this machine.

        Raises:
            ToolError: the service does not run.
        """
        published = self._compose("port", SERVICE, str(HOST_LISTENER), timeout_s=_ASK_TIMEOUT_S)
        return f"localhost:{published.strip().rpartition(':')[2]}"

    def start(self) -> None:
        """Start the service, and wait until its health check passes; does nothing if it runs.

        Raises:
            ToolError: docker could not start it; nothing of it is left running.
        """
        try:
            self._compose("up", "--detach", "--wait", SERVICE, timeout_s=_UP_TIMEOUT_S)
        except ToolError:
            self._compose("rm", "--stop", "--force", SERVICE, timeout_s=_UP_TIMEOUT_S)
            raise

    def stop(self) -> None:
        """Stop the service; its volume keeps the data.

        Raises:
            ToolError: docker could not stop it.
        """
        self._compose("stop", SERVICE, timeout_s=_UP_TIMEOUT_S)

    def is_running(self) -> bool:
        """Tell whether the service has a running container.

        Raises:
            ToolError: docker does not say.
        """
        running = self._compose(
            "ps", "--status=running", "--quiet", SERVICE, timeout_s=_ASK_TIMEOUT_S
        )
        return bool(running.strip())

    @staticmethod
    def _compose(*words: str, timeout_s: float) -> str:
        return _docker("compose", "--file", str(COMPOSE_FILE), *words, timeout_s=timeout_s)


def _docker(*words: str, timeout_s: float) -> str:
    """Run a docker command and return what it prints."""
    command = ["docker", *words]
    try:
        return subprocess.run(  # noqa: S603 - docker comes from the PATH, as it should
            command, capture_output=True, text=True, timeout=timeout_s, check=True
        ).stdout
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines()
        raise ToolError(said[-1] if said else f"{' '.join(command)} failed") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{' '.join(command)} took over {timeout_s:g} s") from error
    except OSError as error:
        raise ToolError(f"{' '.join(command)} does not run: {error}") from error
