"""Sera: streaming attention over random features, with a measure of its own error."""
