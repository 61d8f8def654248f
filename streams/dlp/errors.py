"""What can be wrong with the files of the scanner."""

from __future__ import annotations

from schemas.errors import ConfigError


class ModelUnusable(ConfigError):  # noqa: N818 - it names a condition, as the application's own errors do
    """A file of the model is missing, damaged or of another version."""


class PolicyUnusable(ConfigError):  # noqa: N818 - the same
    """A policy file cannot be read, or says something that makes no sense."""
