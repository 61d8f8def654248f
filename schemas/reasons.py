"""Reason codes of quarantined messages.

A code is part of the quarantine record and of a metric's label: it is never renamed or reused.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a message could not be used."""

    # The bytes
    EMPTY_VALUE = "EMPTY_VALUE"  # no bytes where a record was expected (a tombstone)
    BAD_AVRO = "BAD_AVRO"  # the bytes end too early or mean nothing under the schema
    TRAILING_BYTES = "TRAILING_BYTES"  # bytes are left after the record
    OVERSIZED = "OVERSIZED"  # more bytes, features or context than the settings allow
    # The wire header, where a schema registry is used
    BAD_WIRE_HEADER = "BAD_WIRE_HEADER"  # not magic byte 0 and a four-byte schema id
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA"  # no schema of this id or fingerprint is known
    INCOMPATIBLE_SCHEMA = "INCOMPATIBLE_SCHEMA"  # written with a schema that ours cannot read
    # The record
    BAD_FIELD = "BAD_FIELD"  # a field is missing, unknown or of the wrong type
    BAD_MAPPING = "BAD_MAPPING"  # a foreign message does not fit the mapping file
    LENGTH_MISMATCH = "LENGTH_MISMATCH"  # packed numbers of a broken length, or ids without values
    DIMENSION_MISMATCH = "DIMENSION_MISMATCH"  # a vector of another dimension than configured
    NON_FINITE_FEATURE = "NON_FINITE_FEATURE"  # NaN or infinity among the feature values
    NON_FINITE_VECTOR = "NON_FINITE_VECTOR"  # NaN or infinity in key, value or query
    NON_FINITE_LABEL = "NON_FINITE_LABEL"  # NaN or infinity as label
    LABEL_OUT_OF_RANGE = "LABEL_OUT_OF_RANGE"  # not in [0, 1], where it must be
    TOO_LARGE = "TOO_LARGE"  # a finite number so large that sums with it could overflow
    RESERVED_ID = "RESERVED_ID"  # a feature id that the tables keep for themselves
    WRONG_TOKENIZER = "WRONG_TOKENIZER"  # token ids of another vocabulary than the model's
    # Its place in the stream
    UNKNOWN_TENANT = "UNKNOWN_TENANT"  # no such tenant is configured
    TENANT_ERASED = "TENANT_ERASED"  # the tenant's data keys were destroyed
    QUOTA_RATE = "QUOTA_RATE"  # more events in event time than the tenant's quota allows
    QUOTA_IDS = "QUOTA_IDS"  # the event brings ids beyond the tenant's quota
    LATE_LABEL_REPEATED = "LATE_LABEL_REPEATED"  # its observation has a label already
    LATE_LABEL_UNMATCHED = "LATE_LABEL_UNMATCHED"  # no observation of this name is kept (any more)
    STREAM_FAILED = "STREAM_FAILED"  # a piece of a stream that failed three times in a row
