"""The steps of a shard, without Kafka: records in, a unit of work out.

The stream, the silent re-step after a restart and the offline driver all run this one class, so
that a batch gives the same bytes wherever and in whatever portions it is run.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from operators.fusion.cell import Cell, CellConfig
from schemas.errors import BadMessage, StateError
from schemas.reasons import Reason
from state import cell_keys, cells, changelog
from state.audit.chain import Chain
from state.audit.leaf import FORMAT, LATE_LABEL, REPEAT
from state.changelog import StateCheckpoint
from streams.keys import CellKeys, KeyVersions
from streams.settings import LabelSettings, QuotaSettings
from streams.shard.cell_formats import CELL_FORMAT
from streams.shard.columns import Decoder, TenantColumns
from streams.shard.learner_record import check_learner, encode_learner
from streams.shard.leaves import leaf_rows
from streams.shard.notes import Noted, interleaved, split
from streams.shard.quotas import QUOTAS
from streams.shard.settling import Settling
from streams.shard.stepping import PREFIX, Memory, Stepping
from streams.shard.tenant import BUCKET_ARRAY, VERSIONS_ARRAY, Outputs, Tenant, in_order
from streams.shard.unit import UnitOfWork
from streams.shard.vault import erased

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from operators.seeds import Seeds
    from schemas.hashing import FeatureHasher
    from state.encryption.sealing import OpenedRecords
    from streams.kafka.fetch import SourceRecord
    from streams.shard.encode import MessageCodecs


class Engine(Settling):
    """The cells of one shard and the step that all of them share.

    Args:
        shard: partition number.
        config: configuration of every cell.
        keys: secrets by tenant.
        codecs: reads events; encodes predictions, checkpoints and quarantine records.
        application_id: first part of the audit logs' names.
        source_topic: named in errors and quarantine records.
        max_event_bytes, max_tenants: bounds beyond which events are quarantined.
        cell_type: what learns; a benchmark puts one in that does not.
        labels: how much is kept for late labels and repetitions; None: the defaults.
        quotas: bounds of each tenant; None: there are none.
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
        cell_type: type[Cell] = Cell,
        labels: LabelSettings | None = None,
        quotas: QuotaSettings | None = None,
    ) -> None:
        super().__init__(shard, keys, codecs, application_id, source_topic, quotas)
        self._config = config
        self._max_tenants = max_tenants
        self._cell_type = cell_type
        self._labels = labels or LabelSettings()
        self._hashers: dict[str, FeatureHasher] = {}
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
            at = self.member(tenant)
            before = at.cell.steps
            begun = time.perf_counter()
            within, refused = self.quotas.within_rate(tenant, at, columns, records)
            others, notes = split(within)
            most_ids = self.quotas.most_ids(tenant, others, records)
            done = Stepping(at.cell, at.memory, others, most_ids).run()
            stepped = time.perf_counter()
            refused += done.rejected
            rejected += refused
            reasons = (item.error.reason for item in refused)
            unit.over_quota.update((tenant, reason) for reason in reasons if reason in QUOTAS)
            whole = len(done.places) == len(others.late)
            used = others if whole else others.select(done.places)
            leaves = leaf_rows(done.rows, used, self._config, at.seeds, done.kinds)
            noted = interleaved(leaves, used.positions, notes, before)
            values = self.append(tenant, at.chain, noted.leaves)
            at.touched = True
            predicted = done.kinds == FORMAT
            unit.steps += int((done.kinds != REPEAT).sum())
            unit.repeats += int((done.kinds == REPEAT).sum())
            unit.late_labels += int((done.kinds == LATE_LABEL).sum())
            unit.dropped.update(at.memory.observations.dropped)
            at.memory.observations.dropped.clear()
            unit.state[cell_keys.chain_key(tenant)] = at.chain.to_bytes()
            chained = time.perf_counter()
            kernel_s += stepped - begun
            audit_s += chained - stepped
            if emit and values:
                outputs.append(self._outputs(tenant, used, done.rows, values, noted, predicted))
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

    def _outputs(
        self,
        tenant: str,
        used: TenantColumns,
        rows: np.ndarray,
        values: list[bytes],
        noted: Noted,
        predicted: np.ndarray,
    ) -> Outputs:
        """Encode what a tenant's steps and notes give out; only observations are predicted."""
        audit = self._codecs.audit(tenant, values)
        places = np.flatnonzero(predicted)
        if len(places) < len(values):
            used, rows = used.select(places), rows[places]
            values = [values[at] for at in noted.steps[places].tolist()]
        predictions = self._codecs.predictions(tenant, used, rows, values) if values else []
        return Outputs(used.positions, predictions, noted.positions, audit)

    # -- cells ------------------------------------------------------------------------------------

    @property
    def tenants(self) -> Mapping[str, Cell]:
        """Cells by tenant, for metrics and inspection."""
        # A copy at once: others ask while the shard's own thread adds tenants.
        return {name: at.cell for name, at in tuple(self.members.items())}

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

    def member(self, tenant: str) -> Tenant:
        """Return a tenant, with an empty cell if it is new."""
        at = self.members.get(tenant)
        if at is None:
            versions = self.versions(tenant)
            seeds = self._keys.seeds(tenant, self.shard, versions)
            at = Tenant(
                self._cell_type(self._config, seeds),
                Chain(self._log_name(tenant)),
                seeds,
                versions,
                cells.CellWriter(tenant),
                self._memory(seeds),
            )
            self.members[tenant] = at
        return at

    def serves(self, tenant: str) -> bool:
        """Tell whether a tenant has its place; see ``Admission``."""
        if tenant in self._hashers:
            return True
        if self.is_erased(tenant):
            raise erased(tenant)
        return False

    def forget(self, tenant: str) -> None:
        """Drop all that is known of a tenant beside its cell."""
        self._hashers.pop(tenant, None)
        self._decoder.forget(tenant)

    def _memory(self, seeds: Seeds) -> Memory:
        return Memory(self._labels, self._config, seeds.hash_salt)

    # -- state ------------------------------------------------------------------------------------

    def add_checkpoint(self, unit: UnitOfWork) -> None:
        """Add to the unit all state that changed since the last checkpoint.

        The unit must be the last one that ``process`` returned. O(changed bytes).
        """
        for tenant, at in self.members.items():
            if not at.touched:
                continue
            unit.state.update(self._vault.seal(tenant, at.changes()))
            unit.state[cell_keys.chain_checkpoint_key(tenant)] = at.chain.to_bytes()
            at.touched = False
        if (quotas := self.quotas.to_bytes()) is not None:
            unit.state[cell_keys.quotas_key()] = quotas
        unit.state[cell_keys.learner_key()] = encode_learner(self._config, self._labels.of_state())
        unit.state[cell_keys.checkpoint_key()] = changelog.encode_checkpoint(
            StateCheckpoint(unit.next_offset, len(self.members), CELL_FORMAT)
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
        record = store.get(cell_keys.learner_key())
        check_learner(record, self._config, where, self._labels.of_state())

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
        cell_arrays = {name: array for name, array in arrays.items() if not name.startswith(PREFIX)}
        versions = KeyVersions(*cell_arrays.pop(VERSIONS_ARRAY).tolist())
        bucket = cell_arrays.pop(BUCKET_ARRAY, None)
        seeds = self._keys.seeds(tenant, self.shard, versions)
        self.admit(tenant, self._keys.feature_hasher(tenant, versions))
        # What lies there in the clear is written anew as a whole, encrypted.
        anew = self._vault.on and not store.sealed(tenant)
        at = self.members[tenant] = Tenant(
            self._cell_type.from_state(self._config, seeds, cell_arrays),
            Chain.from_bytes(self._log_name(tenant), chain),
            seeds,
            versions,
            cells.CellWriter(tenant, None if anew else cells.manifests(store, tenant)),
            self._memory(seeds),
            bucket,
        )
        at.memory.load(arrays)
        at.touched = anew
