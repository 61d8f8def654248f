"""Six structured logs of the token stream, written beside it."""
