"""Benchmarks of the application against peers and floors; run by ``weir bench``."""
