"""A real Kafka to talk to: one that runs already, one in docker, or one started on this machine."""
