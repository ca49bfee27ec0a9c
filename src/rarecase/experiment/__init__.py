"""Grids of runs: simulations, experiments, and the figures of the paper."""
