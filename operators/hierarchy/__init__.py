"""The token stream: boundaries, buffer, growing tokens, and levels above the tokens."""
