"""Hlm: the exact hashed linear learner. Every id it has seen has a weight of its own."""
