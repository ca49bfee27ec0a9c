"""Measures of predictions: metrics, confusion, error dispersion."""
