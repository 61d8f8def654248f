"""The HTTP service of a worker: probes, metrics, questions, updates, the scanner."""
