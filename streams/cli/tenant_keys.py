"""``weir keys``: the data keys that tenants' state is encrypted with."""

import time
from enum import StrEnum
from typing import Annotated

import typer
from rich.markup import escape

from schemas.errors import ConfigError
from state.encryption.key_store import KeyStore, TenantKeys
from state.encryption.places import open_place
from streams.cli.console import messages, output, print_json, printable, table
from streams.cli.options import AsJson, flag, read_settings
from streams.keys import open_secrets

EXAMPLES = (
    "weir keys init",
    "weir keys list",
    "weir keys rotate --tenant acme",
    "weir keys destroy --tenant acme",
    "weir keys rewrap",
)
_MICROSECOND = 1_000_000


class Kind(StrEnum):
    """What is to be done."""

    INIT = "init"
    LIST = "list"
    ROTATE = "rotate"
    DESTROY = "destroy"
    REWRAP = "rewrap"


def command(
    kind: Annotated[
        Kind,
        typer.Argument(
            metavar="KIND",
            help="init: make a key store; list: show keys; rotate: add a version; destroy: erase a "
            "tenant; rewrap: wrap all keys by the newest secret.",
        ),
    ],
    tenants: Annotated[
        list[str] | None, typer.Option("--tenant", metavar="NAME", help="Whose; may be repeated.")
    ] = None,
    everybody: Annotated[bool, flag("--all", help="Of rotate: every tenant.")] = False,
    yes: Annotated[bool, flag("--yes", help="Of destroy: do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make, list, rotate and destroy the tenants' data keys.

    Works on the key store that encryption.keys names; brokers are not needed. Workers look at it
    every encryption.refresh_s seconds: what they write next is encrypted with the newest version.
    Older versions stay, for what was written with them. destroy erases a tenant: its state cannot
    be read any more by anybody, wherever copies of it lie, its further events go to quarantine
    with the reason TENANT_ERASED, and its audit trail still verifies. It cannot be undone.

    Exit codes: 0 done; 1 not confirmed; 78 there is no key store, or no such key.
    """
    settings = read_settings()
    if settings.encryption.keys is None:
        raise ConfigError("encryption.keys (WEIR_ENCRYPTION__KEYS) names no key store")
    place = open_place(settings.encryption.keys)
    if kind is Kind.INIT:
        made = KeyStore.initialise(place)
        output().print(f"{place.where} {'is' if made else 'was already'} a key store")
        return
    store = KeyStore(place, open_secrets(settings))
    found = {keys.tenant: keys for keys in store.tenants()}
    chosen = list(found) if everybody and kind is Kind.ROTATE else tenants or []
    if kind is Kind.LIST:
        _list([keys for keys in found.values() if not chosen or keys.tenant in chosen], as_json)
    elif kind is Kind.REWRAP:
        output().print(f"{store.rewrap():,} keys wrapped anew")
    elif not chosen:
        raise ConfigError("say whose keys: --tenant NAME")
    elif kind is Kind.ROTATE:
        _rotate(store, [name for name in chosen if tenants or not _is_destroyed(found[name])])
    else:
        _destroy(store, chosen, found, yes=yes)


def _is_destroyed(keys: TenantKeys) -> bool:
    return keys.destroyed_us is not None


def _list(found: list[TenantKeys], as_json: bool) -> None:
    shown = table("Data keys", ("tenant", "versions", "wrapped by", "newest made", "destroyed"))
    for keys in sorted(found):
        if as_json:
            print_json(keys._asdict())
            continue
        shown.add_row(
            escape(printable(keys.tenant)),
            ", ".join(map(str, keys.versions)),
            ", ".join(sorted({f"version {number}" for number in keys.wrapped_by})),
            _time(keys.created_us[-1]) if keys.created_us else "",
            "" if keys.destroyed_us is None else _time(keys.destroyed_us),
        )
    if not as_json:
        output().print(shown)


def _time(microseconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(microseconds / _MICROSECOND))


def _rotate(store: KeyStore, tenants: list[str]) -> None:
    for tenant in tenants:
        version = store.rotate(tenant)
        output().print(printable(f"{tenant}: version {version}"), markup=False)


def _destroy(
    store: KeyStore, tenants: list[str], found: dict[str, TenantKeys], *, yes: bool
) -> None:
    unknown = [tenant for tenant in tenants if tenant not in found]
    if unknown:
        raise ConfigError(
            f"{store.where} has no keys of {', '.join(unknown)}: `weir keys list` shows whose"
        )
    messages().print(
        printable(
            f"This erases {', '.join(tenants)} from the state, the changelog and every snapshot of "
            "all applications that use this key store. It cannot be undone."
        ),
        markup=False,
        soft_wrap=True,
    )
    if not yes and not typer.confirm("Destroy the keys?", err=True):
        raise typer.Exit(1)
    for tenant in tenants:
        versions = store.destroy(tenant)
        output().print(printable(f"{tenant}: {len(versions)} versions destroyed"), markup=False)
