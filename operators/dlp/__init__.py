"""The DLP scanner's algorithms: text representation, tags, generator of training data, network."""
