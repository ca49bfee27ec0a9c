"""
rarecase: an active learner steers LLM generation towards the texts that are rare and critical.

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
    "Frozen": "rarecase.learn.frozen",
    "RarecaseError": "rarecase.errors",
    "RunConfig": "rarecase.config",
    "Taxonomy": "rarecase.taxonomy",
    "assign_clusters": "rarecase.acquire.clusters",
    "cluster": "rarecase.acquire.strategies",
    "coreset": "rarecase.acquire.strategies",
    "embed": "rarecase.acquire.embed",
    "entropy": "rarecase.acquire.strategies",
    "load_encoder": "rarecase.acquire.embed",
    "load_learner": "rarecase.learn",
    "matrix": "rarecase.schema",
    "needs": "rarecase.schema",
    "random": "rarecase.acquire.strategies",
    "read_table": "rarecase.tables",
    "run": "rarecase.algorithm",
}
__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'rarecase' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
