"""Kafka clients: configuration, topics, reading, and Faust's transport made for whole fetches."""
