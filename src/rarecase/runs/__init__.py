"""Runs: settings become parts, and the folder of a run has its layout."""
