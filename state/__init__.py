"""What must survive: RocksDB tables, changelogs, audit chains, secrets."""
