"""Reports over what workers have logged."""
