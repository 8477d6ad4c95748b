"""Finite-size truth: matrices, trained networks, replicas."""
