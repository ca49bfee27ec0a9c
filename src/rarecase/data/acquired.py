"""Where a config of a release comes from."""

from typing import Required, TypedDict

from rarecase.data.variation_counts import Policy


class Acquired(TypedDict, total=False):
    """Who acquired a config (`run`, `start`, `given`, `import-published`), and the settings that others may know."""

    by: Required[str]
    reading: str
    strategy: str
    learner: str
    model: str
    encoder: str
    annotator: str
    annotator_model: str
    doubtful_to: str
    sure: float
    generator: str
    generator_model: str | None
    contrasts: bool  # there only where it asked for contrasts
    budget: int
    batch: int
    clusters: int | None
    variations: int
    policy: Policy
    seed: int
    stop_when: str
