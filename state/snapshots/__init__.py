"""Snapshots: the whole state of a shard, cell by cell, in a store of objects.

``manifest`` says what a snapshot holds, ``writing`` makes one, ``reading`` finds and loads them,
``retention`` deletes old ones. docs/snapshots.md is about using them.
"""
