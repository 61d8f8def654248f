"""Looks at the key store while a worker runs, so that what changes counts without a restart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from schemas.errors import SecretError

if TYPE_CHECKING:
    from collections.abc import Callable

    from state.encryption.key_store import KeyStore

log = structlog.get_logger(__name__)


def watch_keys(
    store: KeyStore | None,
    every_s: float,
    changed: Callable[[], None],
    failed: Callable[[], None],
) -> asyncio.Task[None]:
    """Look at a key store again and again, on a thread.

    While it does not answer, the keys that are known stay in use: a shard needs the store for new
    tenants and new versions only.

    Args:
        store: which; None: encryption is off, and there is nothing to look at.
        every_s: seconds between two looks.
        changed: called on the event loop when something is new.
        failed: called there when the store did not answer.
    """
    return asyncio.create_task(_watch(store, every_s, changed, failed), name="key-store")


async def _watch(
    store: KeyStore | None,
    every_s: float,
    changed: Callable[[], None],
    failed: Callable[[], None],
) -> None:
    while store is not None:
        await asyncio.sleep(every_s)
        before = store.changes
        try:
            await asyncio.to_thread(store.refresh)
        except SecretError as error:
            log.warning("key store does not answer; known keys stay in use", why=str(error))
            failed()
        if store.changes != before:
            log.info("key store has changed", where=store.where)
        # Even where it has not: a shard that was opened since the last look may have to settle.
        changed()
