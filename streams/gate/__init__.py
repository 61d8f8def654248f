"""The gate: whole messages are scanned, judged, and forwarded by what was decided."""
