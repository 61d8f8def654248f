"""Fusion: one learner of Hlm and Sera, in which each event is predicted, then learnt."""
