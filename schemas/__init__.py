"""Avro schemas, codecs and the mapping of foreign messages to events."""
