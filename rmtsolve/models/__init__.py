"""Shipped model files and their reader."""
