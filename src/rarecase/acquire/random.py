"""The baseline: texts drawn at random."""

from datasets import Dataset

from rarecase.acquire.selection import require_count
from rarecase.acquire.strategy import needs
from rarecase.core import randomness
from rarecase.data.arrow import rows
from rarecase.data.schema import canonical_order


@needs()
def random(pool: Dataset, n: int, *, labeled: Dataset | None = None, seed: int = 0) -> Dataset:
    """
    Texts drawn at random, without replacement: the baseline every other strategy is compared to.

    Args:
        pool (`Dataset`): the unlabelled texts.
        n (`int`): how many rows to choose.
        labeled (`Dataset`, *optional*): not read.
        seed (`int`): decides the draw.

    Returns:
        `Dataset`: the `n` chosen rows in order of choice.

    Example:
        >>> batch = random(pool, 20, seed=0)
    """
    require_count(pool, n)
    drawn = randomness.generator(seed, "random").choice(len(pool), size=n, replace=False)
    return rows(pool, canonical_order(pool)[drawn])
