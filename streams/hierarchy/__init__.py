"""The token stream's machinery around `operators.hierarchy`."""
