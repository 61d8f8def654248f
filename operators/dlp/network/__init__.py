"""The network in PyTorch, for training and export; serving does without it."""
