"""Self-consistent equations and their solution."""
