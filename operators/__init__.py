"""The algorithms: pure functions of state and input; no Kafka, no clock, no files."""
