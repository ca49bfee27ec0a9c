"""Data sets, models and demos to the Hub: the only place that writes there."""
