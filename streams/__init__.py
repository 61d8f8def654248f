"""The Faust application: topics, shards, units of work, settings, HTTP, command line."""
