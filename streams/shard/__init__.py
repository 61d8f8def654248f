"""A shard: one partition of ``events`` and everything learnt from it."""
