"""Compiled kernels: pure functions of numbers and arrays (numba, numpy and math only); nothing compiles at import."""
