"""The steps of a shard, without Kafka: records in, a unit of work out.

The stream, the silent re-step after a restart and the offline driver all run this one class, so
that a batch gives the same bytes wherever and in whatever portions it is run.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from operators.fusion.cell import Cell, CellConfig
from schemas.errors import BadMessage, Bug, StateError
from schemas.reasons import Reason
from state import cell_keys, cells, changelog
from state.audit.chain import Chain
from state.audit.checkpoint import origin_of
from state.audit.leaf import EPOCH, SNAPSHOT, mark_row
from state.audit.shard_root import ShardRoot, SnapshotsHead
from state.changelog import StateCheckpoint
from state.snapshots.writing import About
from streams.keys import CellKeys, KeyVersions
from streams.settings import QuotaSettings
from streams.shard.cell_formats import CELL_FORMAT
from streams.shard.columns import Decoder, Rejected, TenantColumns
from streams.shard.erasure import ErasedTenants, keys_of_cell
from streams.shard.learner_record import check_learner, encode_learner
from streams.shard.leaves import leaf_rows
from streams.shard.quotas import QUOTAS, REFUSALS, Quotas
from streams.shard.tenant import BUCKET_ARRAY, VERSIONS_ARRAY, Outputs, Tenant, in_order
from streams.shard.unit import UnitOfWork
from streams.shard.vault import Vault, erased

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from schemas.hashing import FeatureHasher
    from state.encryption.sealing import OpenedRecords
    from streams.kafka.fetch import SourceRecord
    from streams.shard.encode import MessageCodecs


class Engine:
    """The cells of one shard and the step that all of them share.

    Args:
        shard: partition number.
        config: configuration of every cell.
        keys: secrets by tenant.
        codecs: reads events; encodes predictions, checkpoints and quarantine records.
        application_id: first part of the audit logs' names.
        source_topic: named in errors and quarantine records.
        max_event_bytes, max_tenants: bounds beyond which events are quarantined.
        quotas: bounds of each tenant; None: there are none.
        cell_type: what learns; a benchmark puts one in that does not.
    """

    def __init__(
        self,
        shard: int,
        config: CellConfig,
        keys: CellKeys,
        codecs: MessageCodecs,
        *,
        application_id: str,
        source_topic: str,
        max_event_bytes: int,
        max_tenants: int,
        quotas: QuotaSettings | None = None,
        cell_type: type[Cell] = Cell,
    ) -> None:
        self.shard = shard
        self.next_offset: int | None = None
        self._config = config
        self._keys = keys
        self._codecs = codecs
        self._application_id = application_id
        self._source_topic = source_topic
        self._max_tenants = max_tenants
        self._cell_type = cell_type
        self._tenants: dict[str, Tenant] = {}
        self._hashers: dict[str, FeatureHasher] = {}
        self._root = ShardRoot()
        self._vault = Vault(keys, application_id, shard)
        self._erased = ErasedTenants()
        self._expected: frozenset[str] | None = None
        self.quotas = Quotas(quotas or QuotaSettings())
        self._decoder = Decoder(
            codecs.reader,
            shard,
            self,
            dimension=config.sera.d,
            value_dimension=config.sera.d_v,
            max_bytes=max_event_bytes,
        )

    # -- the step ---------------------------------------------------------------------------------

    def process(self, records: Sequence[SourceRecord], *, emit: bool = True) -> UnitOfWork:
        """Step through records in the order of the log.

        Args:
            records: continue where the last call ended; their offsets rise.
            emit: False on a re-step: the same changes of state, no outputs.

        Returns:
            The unit of work, without a checkpoint (see ``add_checkpoint``).

        Complexity: O(bytes of the records), plus the cells' steps.
        """
        started = time.perf_counter()
        if self.next_offset is None:
            self.quotas.change(records[0].offset)
        by_tenant, rejected = self._decoder(records)
        decoded = time.perf_counter()
        unit = UnitOfWork(next_offset=records[-1].offset + 1, records=len(records))
        outputs: list[Outputs] = []
        signed: list[str] = []
        kernel_s = audit_s = 0.0
        for tenant, columns in by_tenant.items():
            at = self._tenant(tenant)
            stepping = time.perf_counter()
            rows = self.quotas.step(tenant, at, columns, records)
            stepped = time.perf_counter()
            good = rows["status"] == 0
            used = columns
            if not good.all():
                refused = _refused(columns, rows["status"])
                reasons = (item.error.reason for item in refused)
                unit.over_quota.update((tenant, code) for code in reasons if code in QUOTAS)
                rejected.extend(refused)
                used, rows = columns.select(np.flatnonzero(good)), rows[good]
            leaves = leaf_rows(rows, used, self._config, at.seeds)
            values = self.append(tenant, at.chain, leaves)
            at.touched = True
            unit.steps += len(values)
            unit.state[cell_keys.chain_key(tenant)] = at.chain.to_bytes()
            chained = time.perf_counter()
            kernel_s += stepped - stepping
            audit_s += chained - stepped
            if emit and values:
                outputs.append(
                    Outputs(
                        used.positions,
                        self._codecs.predictions(tenant, used, rows, values),
                        self._codecs.audit(tenant, values),
                    )
                )
                signed.append(tenant)
        self._sign(unit, signed)
        self.next_offset = unit.next_offset
        unit.state[cell_keys.offset_key()] = changelog.encode_offset(unit.next_offset)
        unit.quarantined = Counter(item.error.reason for item in rejected)
        if emit:
            unit.outputs["predictions"], unit.outputs["audit"] = in_order(outputs)
            unit.quarantine = [
                self._codecs.quarantine(
                    item.error, self._source_topic, self.shard, records[item.position]
                )
                for item in sorted(rejected, key=lambda item: item.position)
            ]
        unit.seconds = {
            "decode": decoded - started,
            "kernel": kernel_s,
            "audit": audit_s,
            "encode": time.perf_counter() - decoded - kernel_s - audit_s,
        }
        return unit

    def append(self, _tenant: str, chain: Chain, leaves: np.ndarray) -> list[bytes]:
        """Append the leaves of a batch to a tenant's chain; a replay puts marks between them."""
        return chain.append(leaves)

    def begin_epoch(self, chains: Mapping[str, bytes], entry: bytes) -> UnitOfWork:
        """Go on with other chains than the cells', which were set back to an earlier moment.

        Args:
            chains: tenant → chain as of now (``Chain.to_bytes``); they grow by a mark that says to
                which step the cell was set back. Tenants that have no cell at the earlier moment
                begin anew.
            entry: what is recorded of the epoch; the marks hold its SHA-256.

        Returns:
            A unit of work that writes the whole state.
        """
        living = sorted(tenant for tenant in chains if not self.is_erased(tenant))
        for tenant in living:
            at = self._tenant(tenant)
            at.chain = Chain.from_bytes(self._log_name(tenant), chains[tenant])
            at.writer = cells.CellWriter(tenant)
        for tenant in chains.keys() - living:
            self._erased.adopt(self._log_name(tenant), tenant, chains[tenant])
        unit = self.mark(dict.fromkeys(living, EPOCH), hashlib.sha256(entry).digest())
        self.add_checkpoint(unit)
        unit.state.update(self._erased.records())
        return unit

    def about(self, created_us: int) -> About:
        """Give what a snapshot of the shard says beside its records.

        Args:
            created_us: now, microseconds since the epoch.
        """
        everybody = [*self._tenants, *self._erased.chains]
        return About(
            application_id=self._application_id,
            shard=self.shard,
            source_topic=self._source_topic,
            snapshots=self._root.snapshots.number,
            created_us=created_us,
            origins={tenant: self.chain(tenant).origin for tenant in everybody},
            key_versions={tenant: self._handles(tenant) for tenant in everybody},
        )

    def _handles(self, tenant: str) -> dict[str, int]:
        """Return the versions of a tenant's secrets; none are left of an erased one."""
        at = self._tenants.get(tenant)
        return {} if at is None else at.versions._asdict() | self._vault.versions(tenant)

    @property
    def unsettled(self) -> bool:
        """Keys were destroyed, or quotas changed: ``settle`` is due."""
        gone = self._erased.pending or self._vault.gone(self._tenants)
        return self.next_offset is not None and bool(gone or self.quotas.changed)

    def settle(self) -> UnitOfWork:
        """Erase the tenants whose keys were destroyed, and let changed quotas count.

        Returns:
            A unit of work without records; see ``mark_snapshot`` for what must follow.

        Raises:
            Bug: the shard has not begun.
        """
        unit = self.pause()
        self.quotas.change(unit.next_offset)
        for tenant in self._vault.gone(self._tenants):
            at = self._tenants.pop(tenant)
            self._forget(tenant)
            self._erased.add(tenant, at.chain, list(at.writer.keys()))
        marked = []
        for tenant, values in self._erased.mark(unit.next_offset):
            unit.state.update(self._erased.changes(tenant))
            unit.outputs["audit"] += self._codecs.audit(tenant, values)
            marked.append(tenant)
        self._sign(unit, marked)
        unit.erased = tuple(marked)
        return unit

    def _forget(self, tenant: str) -> None:
        self._hashers.pop(tenant, None)
        self._decoder.forget(tenant)
        self._vault.forget(tenant)

    def is_erased(self, tenant: str) -> bool:
        """Tell whether a tenant's keys were destroyed; see ``streams.shard.erasure``."""
        return tenant in self._erased or self._vault.destroyed(tenant)

    def pause(self) -> UnitOfWork:
        """Return a unit of work of nothing, to which a checkpoint can be added.

        Raises:
            Bug: the shard has not begun.
        """
        return self.mark({}, b"")

    def mark_snapshot(self, manifest: bytes) -> UnitOfWork:
        """Record in every cell's chain, and in the shard's root, that a snapshot was taken.

        Args:
            manifest: SHA-256 of its manifest.

        Returns:
            A unit of work without records. It must be a checkpoint (see ``add_checkpoint``): a
            re-step goes by the log of events, which does not tell of it.
        """
        self._root.snapshots = self._root.snapshots.after(manifest)
        return self.mark(dict.fromkeys(self._tenants, SNAPSHOT), manifest)

    def mark(self, kinds: Mapping[str, float], digest: bytes) -> UnitOfWork:
        """Append a mark to the chains of tenants; see ``mark_snapshot`` for what must follow.

        Args:
            kinds: tenant → kind of the mark, one of ``state.audit.leaf.MARKS``.
            digest: SHA-256 of what it is about.

        Raises:
            Bug: the shard has not begun.
        """
        if self.next_offset is None:
            raise Bug(f"shard {self.shard} was to be marked before its first event")
        unit = UnitOfWork(next_offset=self.next_offset, records=0)
        unit.outputs |= {"predictions": [], "audit": []}
        for tenant, kind in kinds.items():
            at = self._tenants[tenant]
            values = at.chain.append(mark_row(kind, at.cell.steps, digest))
            at.touched = True
            unit.state[cell_keys.chain_key(tenant)] = at.chain.to_bytes()
            unit.outputs["audit"] += self._codecs.audit(tenant, values)
        self._sign(unit, list(kinds))
        unit.state[cell_keys.offset_key()] = changelog.encode_offset(unit.next_offset)
        unit.state[cell_keys.snapshots_key()] = self._root.snapshots.to_bytes()
        return unit

    def _sign(self, unit: UnitOfWork, tenants: list[str]) -> None:
        """Add the signed checkpoints of the tenants that a unit has records of."""
        if not tenants:
            return
        for at in self._tenants.values():
            if at.listed != at.chain.size:
                self._root.put(at.chain.standing())
                at.listed = at.chain.size
        for chain in self._erased.grown():
            self._root.put(chain.standing())
        shard = self._root.commitment()
        unit.outputs["audit-checkpoints"] = [
            self._codecs.checkpoint(
                tenant, self.shard, self.chain(tenant).checkpoint(self._keys.signer, shard)
            )
            for tenant in tenants
        ]

    # -- cells ------------------------------------------------------------------------------------

    @property
    def tenants(self) -> Mapping[str, Cell]:
        """Cells by tenant, for metrics and inspection."""
        # A copy at once: others ask while the shard's own thread adds tenants.
        return {name: at.cell for name, at in tuple(self._tenants.items())}

    def chain(self, tenant: str) -> Chain:
        """Return a tenant's audit chain.

        Raises:
            KeyError: the shard has no such tenant.
        """
        at = self._tenants.get(tenant)
        return self._erased.chains[tenant] if at is None else at.chain

    def hasher(self, tenant: str) -> FeatureHasher:
        """Return a tenant's feature hasher; see ``Admission``."""
        hasher = self._hashers.get(tenant)
        if hasher is None:
            if self.is_erased(tenant):
                raise erased(tenant)
            # What was full then is full in a re-step, though erased tenants have left since.
            refused = self._expected is not None and tenant not in self._expected
            if refused or len(self._hashers) >= self._max_tenants:
                raise BadMessage(
                    Reason.UNKNOWN_TENANT,
                    f"the shard serves stream.max_tenants = {self._max_tenants} tenants already",
                )
            hasher = self._keys.feature_hasher(tenant, self.versions(tenant))
        return hasher

    def versions(self, _tenant: str) -> KeyVersions:
        """Return the versions of the secrets with which a new cell begins."""
        return self._keys.current

    def admit(self, tenant: str, hasher: FeatureHasher) -> None:
        """Give a tenant one of the shard's places; see ``Admission``."""
        if tenant not in self._hashers:
            self._vault.admit(tenant)
            self._hashers[tenant] = hasher

    def _tenant(self, tenant: str) -> Tenant:
        at = self._tenants.get(tenant)
        if at is None:
            versions = self.versions(tenant)
            seeds = self._keys.seeds(tenant, self.shard, versions)
            at = Tenant(
                self._cell_type(self._config, seeds),
                Chain(self._log_name(tenant)),
                seeds,
                versions,
                cells.CellWriter(tenant),
            )
            self._tenants[tenant] = at
        return at

    def _log_name(self, tenant: str) -> str:
        return origin_of(self._application_id, tenant, self.shard)

    # -- state ------------------------------------------------------------------------------------

    def add_checkpoint(self, unit: UnitOfWork) -> None:
        """Add to the unit all state that changed since the last checkpoint.

        The unit must be the last one that ``process`` returned. O(changed bytes).
        """
        for tenant, at in self._tenants.items():
            if not at.touched:
                continue
            unit.state.update(self._vault.seal(tenant, at.changes()))
            unit.state[cell_keys.chain_checkpoint_key(tenant)] = at.chain.to_bytes()
            at.touched = False
        if (quotas := self.quotas.to_bytes()) is not None:
            unit.state[cell_keys.quotas_key()] = quotas
        unit.state[cell_keys.learner_key()] = encode_learner(self._config)
        unit.state[cell_keys.checkpoint_key()] = changelog.encode_checkpoint(
            StateCheckpoint(unit.next_offset, len(self._tenants), CELL_FORMAT)
        )
        unit.is_checkpoint = True

    def check_settings(self, store: cells.Records) -> None:
        """Refuse state that was learnt with other settings than this engine's.

        Raises:
            ConfigError: it was; the message names them.
            StateError: the store does not say.
        """
        where = f"shard {self.shard} ({self._source_topic}[{self.shard}])"
        self.restore_snapshots(store.get(cell_keys.snapshots_key()))
        self.quotas.restore(store.get(cell_keys.quotas_key()))
        check_learner(store.get(cell_keys.learner_key()), self._config, where)

    def restore_snapshots(self, record: bytes | None) -> None:
        """Take what the shard commits to of its snapshots; None: there were none.

        Raises:
            StateError: the record is damaged.
        """
        self._root.snapshots = (
            SnapshotsHead() if record is None else SnapshotsHead.from_bytes(record)
        )

    def load(self, store: OpenedRecords, tenant: str, arrays: Mapping[str, np.ndarray]) -> None:
        """Put a cell back as a checkpoint left it.

        Raises:
            StateError: the tenant has arrays but no audit chain, or either is damaged.
        """
        chain = store.get(cell_keys.chain_checkpoint_key(tenant))
        if chain is None:
            raise StateError(
                f"shard {self.shard} has arrays of tenant {tenant!r} but no audit chain: delete "
                "the state folder, it will be restored from the changelog"
            )
        cell_arrays = dict(arrays)
        versions = KeyVersions(*cell_arrays.pop(VERSIONS_ARRAY).tolist())
        bucket = cell_arrays.pop(BUCKET_ARRAY, None)
        seeds = self._keys.seeds(tenant, self.shard, versions)
        self.admit(tenant, self._keys.feature_hasher(tenant, versions))
        # What lies there in the clear is written anew as a whole, encrypted.
        anew = self._keys.data_keys is not None and not store.sealed(tenant)
        at = self._tenants[tenant] = Tenant(
            self._cell_type.from_state(self._config, seeds, cell_arrays),
            Chain.from_bytes(self._log_name(tenant), chain),
            seeds,
            versions,
            cells.CellWriter(tenant, None if anew else cells.manifests(store, tenant)),
            bucket,
        )
        at.touched = anew

    def expect(self, tenants: Iterable[str]) -> None:
        """Take in no others in the re-step that follows, until ``compare_chains``."""
        self._expected = frozenset(tenants)

    def readable(
        self, store: cells.Records, where: str, application_id: str | None = None
    ) -> OpenedRecords:
        """Return a shard's records with what is encrypted opened; see ``Vault.opened``."""
        return self._vault.opened(store, where, application_id)

    def load_erased(self, store: cells.Records) -> None:
        """Take what is left of erased tenants, before the cells of the others are loaded."""
        self._erased.load(store, self._log_name)
        for tenant in cells.tenants(store):
            if self._vault.destroyed(tenant) and tenant not in self._erased:
                value = store.get(cell_keys.chain_checkpoint_key(tenant)) or b""
                chain = Chain.from_bytes(self._log_name(tenant), value)
                self._erased.add(tenant, chain, keys_of_cell(store, tenant))

    def compare_chains(self, committed: Iterable[tuple[str, bytes]]) -> None:
        """Check after a re-step that every chain stands where the last unit of work left it.

        Raises:
            StateError: one does not: the same log gave other bytes.
        """
        chains = dict(committed)
        self._expected = None
        for tenant in sorted(chains.keys() | self._tenants.keys()):
            at = self._tenants.get(tenant)
            if at is None and self.is_erased(tenant):
                # Its events cannot be stepped again.
                self._erased.adopt(self._log_name(tenant), tenant, chains[tenant])
            elif at is None or at.chain.to_bytes() != chains.get(tenant):
                raise StateError(
                    f"shard {self.shard}, tenant {tenant!r}: re-stepping {self._source_topic} to "
                    f"offset {self.next_offset} gave another audit chain than the one committed. "
                    "The configuration, the keys or the program differ from those that wrote it: "
                    "start with the same ones (another release can take over once these have "
                    "stopped in order), or begin anew under another application id"
                )


def _refused(columns: TenantColumns, status: np.ndarray) -> list[Rejected]:
    return [
        Rejected(
            int(columns.positions[row]),
            BadMessage(*REFUSALS[int(status[row])]),
        )
        for row in np.flatnonzero(status)
    ]
