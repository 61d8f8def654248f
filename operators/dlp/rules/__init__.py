"""Deterministic rules: patterns, checksums, numbering plans and vendors' formats."""
