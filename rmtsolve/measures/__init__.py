"""Probability measures on the real line, as values."""
