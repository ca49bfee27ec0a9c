"""The labeling page: people sign in, label by key, and review what they disagree on."""

from rarecase.labeling.web.server import launch, serve

__all__ = ["launch", "serve"]
