"""Benchmarks: what we do against what people do today, side by side in one run; `python -m benchmarks`."""
