"""Training of the DLP model: what touches files, processes and devices."""
