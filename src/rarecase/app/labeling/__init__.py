"""The labeling page: people sign in, label by key, and settle what they disagree on."""

from rarecase.app.labeling.server import launch, serve

__all__ = ["launch", "serve"]
