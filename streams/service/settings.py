"""Settings of the HTTP service: who may call it, from where, and how much at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from streams.section import Positive, Section, existing_file

Scope = Literal["read", "write", "scan", "metrics", "worker"]
"""What a caller may do: ask the learners, send events, have texts scanned, see the metrics, or all
of it as another worker that hands a request on."""


class CallerSettings(Section):
    """Who may call the HTTP service, and for what."""

    scopes: frozenset[Scope] = Field(min_length=1)
    tenant: str | None = Field(default=None, description="the only one it may touch; none: any")


class TokenSettings(CallerSettings):
    """A caller that shows a bearer token: the secret ``api-token-<name>``, any of its versions."""

    name: str = Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")


class CertificateSettings(CallerSettings):
    """A caller that shows a certificate."""

    subject: str = Field(
        min_length=1,
        description="its subject as RFC 4514 writes it (CN=app,O=Acme), or a DNS name or URI in it",
    )


class HttpSettings(Section):
    """The worker's HTTP server: the service API, /metrics, /healthz and /readyz."""

    enabled: bool = True
    host: str = "127.0.0.1"
    port: int = Field(default=8088, ge=0, le=65535, description="0: any free port")
    service: bool = Field(
        default=True, description="off: /healthz, /readyz and /metrics are all there is"
    )
    advertised: str | None = Field(
        default=None,
        pattern=r"^https?://[^/?#]+$",
        description="where other workers reach this one; default: its host (name) and port",
    )
    tokens: tuple[TokenSettings, ...] = ()
    certificate_file: Path | None = Field(default=None, description="PEM, chain included: TLS")
    key_file: Path | None = None
    client_ca_file: Path | None = Field(
        default=None, description="PEM: who signs the certificates of callers and workers"
    )
    certificates: tuple[CertificateSettings, ...] = ()
    open_metrics: bool | None = Field(
        default=None, description="/metrics without a token; default: on the loopback interface"
    )
    max_requests: Positive = Field(
        default=64, description="requests of the service at a time; one more is told 429"
    )
    max_request_bytes: Positive = Field(default=1_000_000, description="larger ones are told 413")
    timeout_s: float = Field(
        default=30.0, gt=0, description="longest that a request may wait for its answer"
    )

    @field_validator("certificate_file", "key_file", "client_ca_file")
    @classmethod
    def _is_a_file(cls, path: Path | None) -> Path | None:
        return existing_file(path)

    @model_validator(mode="after")
    def _callers_are_complete(self) -> HttpSettings:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("http.certificate_file and http.key_file belong together: set both")
        if self.client_ca_file is not None and self.certificate_file is None:
            raise ValueError(
                "http.client_ca_file asks callers for certificates, which takes TLS: set "
                "http.certificate_file and http.key_file"
            )
        if self.certificates and self.client_ca_file is None:
            raise ValueError("http.certificates are trusted by http.client_ca_file: set it")
        for what, names in (
            ("http.tokens", [token.name for token in self.tokens]),
            ("http.certificates", [one.subject for one in self.certificates]),
        ):
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{what}: {', '.join(twice)} stands there more than once")
        return self


class ScannerSettings(Section):
    """The DLP scanner in the worker's HTTP server: /scan and /warmup."""

    enabled: bool = Field(default=False, description="loaded when it is first asked")
    model: Path | None = Field(default=None, description="folder; default: the model shipped")
    policy: Path | None = Field(default=None, description="file; default: the policy shipped")
    workers: Positive = Field(default=1, description="messages at a time, a core each")
    waiting: int = Field(default=16, ge=0, description="messages that may wait; then 429")
