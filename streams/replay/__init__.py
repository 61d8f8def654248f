"""Running the log again: to compare it with what was published, into other topics, or for good.

``points`` says where to begin, ``engine`` steps as the original did, ``compare`` finds the first
difference, ``shadow`` writes elsewhere, ``shard`` drives these for one shard, ``rewind`` sets a
group back. docs/replay.md is about using them.
"""
