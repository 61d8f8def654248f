"""Kafka clients: configuration, administration, and Faust's transport made to hand on whole fetches."""
