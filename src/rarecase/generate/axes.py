"""The grid from which it is drawn how variations of one post are to differ."""

import numpy as np

from rarecase.core import randomness

# The writer of a variation may be anybody; what a class rests on is in none of these.
GRID = {
    "register": ("everyday words", "formal words", "slang"),
    "length": ("shorter", "about as long", "longer"),
    "speaker": ("a teenager", "an adult", "an older person"),
    "point_of_view": ("of the person concerned", "of a relative or friend of theirs", "of a bystander"),
    "typos": ("without typos", "with a few typos, as people make them on a phone"),
}
Axes = dict[str, str]  # how one variation is to be, by the names of `GRID`


def drawn(k: int, seed: int, id_: str) -> list[Axes]:
    """`k` points of the grid, no two equal as long as it has as many; the first ones are those of a smaller `k`."""
    sizes = tuple(map(len, GRID.values()))
    order = randomness.generator(seed, "axes", id_).permutation(np.prod(sizes))
    places = np.array(np.unravel_index(np.resize(order, k), sizes)).T
    return [{name: GRID[name][place] for name, place in zip(GRID, point, strict=True)} for point in places]
