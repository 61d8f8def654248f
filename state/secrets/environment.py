"""Secrets from environment variables: ``WEIR_SECRET_<NAME>_V<version>``."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from schemas.errors import SecretError
from state.secrets.secret import GENERATOR, Secret, parse_secret

if TYPE_CHECKING:
    from collections.abc import Mapping


class EnvSecrets:
    """Secrets from environment variables, as an orchestrator sets them.

    ``WEIR_SECRET_AUDIT_SIGNING_V2`` is version 2 of ``audit-signing``: 64 hexadecimal digits or the
    base64 of 32 bytes. The highest version present is the current one.

    Args:
        environ: the variables.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ

    def get(self, name: str, version: int | None = None) -> Secret:
        """A secret by name; see `SecretProvider.get`.

        Raises:
            SecretError: no variable has it, or its value is malformed.
        """
        if version is None:
            version = self._current(name)
        variable = f"{_prefix(name)}{version}"
        if variable not in self._environ:
            raise SecretError(f"secret {name} version {version} is missing: set {variable}")
        value = parse_secret(self._environ[variable])
        if value is None:
            raise SecretError(
                f"{variable} is malformed: set it to 64 hexadecimal digits or to the base64 of 32 "
                f"bytes, as `{GENERATOR}` prints them"
            )
        return Secret(name, version, value)

    def _current(self, name: str) -> int:
        pattern = re.compile(re.escape(_prefix(name)) + r"([1-9][0-9]*)")
        versions = [int(m[1]) for m in map(pattern.fullmatch, self._environ) if m]
        if not versions:
            raise SecretError(
                f"secret {name} is missing: set {_prefix(name)}1 to what `{GENERATOR}` "
                "prints, and keep a copy where you keep keys"
            )
        return max(versions)


def _prefix(name: str) -> str:
    return f"WEIR_SECRET_{name.upper().replace('-', '_')}_V"
