"""
rarecase: active learning for what is rare and critical in safety data: choose what people label, learn from it,
measure, publish.

Everything works on `datasets.Dataset`; the names below are loaded when they are first used, so that importing the
package costs nothing.

Example:
    >>> from rarecase import assign_clusters, cluster, embed, load_encoder, load_learner
    >>> pool = assign_clusters(embed(pool, load_encoder()), 20, seed=0)
    >>> batch = cluster(learner.score(pool), 20, seed=0)
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "Finetune": "rarecase.learn.finetune",
    "FitOptions": "rarecase.learn",
    "Frozen": "rarecase.learn.frozen",
    "Guard": "rarecase.guard.guard",
    "RarecaseError": "rarecase.core.errors",
    "RoundFiles": "rarecase.runs.folder",
    "RunConfig": "rarecase.settings.config",
    "SetFit": "rarecase.learn.setfit",
    "Taxonomy": "rarecase.data.taxonomy",
    "anchors": "rarecase.acquire.anchors",
    "assign_clusters": "rarecase.acquire.clusters",
    "badge": "rarecase.acquire.badge",
    "bald": "rarecase.acquire.uncertainty",
    "cluster": "rarecase.acquire.clusters",
    "compare": "rarecase.models.encoder",
    "contrastive": "rarecase.acquire.contrastive",
    "coreset": "rarecase.acquire.coreset",
    "disagreement": "rarecase.acquire.disagreement",
    "doubt": "rarecase.verify.doubt",
    "embed": "rarecase.models.encoder",
    "entropy": "rarecase.acquire.uncertainty",
    "least_confidence": "rarecase.acquire.uncertainty",
    "load_encoder": "rarecase.models.encoder",
    "load_learner": "rarecase.learn",
    "loop": "rarecase.runs.loop",
    "margin": "rarecase.acquire.uncertainty",
    "matrix": "rarecase.data.arrow",
    "needs": "rarecase.acquire.strategy",
    "probcover": "rarecase.acquire.probcover",
    "push": "rarecase.publish.learner",
    "random": "rarecase.acquire.random",
    "rare": "rarecase.acquire.rare",
    "rare_first": "rarecase.acquire.rare",
    "read_table": "rarecase.data.read",
    "run": "rarecase.algorithm",
    "typiclust": "rarecase.acquire.typiclust",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'rarecase' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
