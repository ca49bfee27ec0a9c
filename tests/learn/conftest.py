"""A small real task: posts about gardens, bicycles and kitchens."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Value

GARDEN = """When should I prune the old apple tree?
My tomatoes have yellow leaves again
Moss is taking over the lawn
How deep do tulip bulbs go?
The roses bloomed twice this summer
Slugs ate all the young lettuce
Is it too late to sow carrots?
Compost smells sour, what did I do wrong?
A hedge that grows fast and stays green
Watering the beds in the evening or at dawn?"""
BICYCLE = """The chain slips in third gear
How much pressure for narrow tyres?
My brakes squeal when it rains
Which lamp is bright enough for forest roads?
Replaced the saddle and my back is fine
Somebody bent the rear wheel
Is a carbon fork worth the money?
Pedal came off on the way to work
Touring with panniers along the river
The bell is so quiet that nobody hears it"""
KITCHEN = """Why does my bread not rise?
Soup is too salty, can I save it?
Best pan for pancakes
How long do lentils have to soak?
The oven is hotter than it says
My grandmother's recipe for plum jam
Rice always sticks to the pot
Can I freeze cooked potatoes?
Knives get dull after a week
A stew for eight people on a small stove"""
NAMES = ["garden", "bicycle", "kitchen"]


def table(names: list[str] = NAMES) -> Dataset:
    texts = [text for topic in (GARDEN, BICYCLE, KITCHEN) for text in topic.splitlines()]
    labels = [label for label in range(3) for _ in range(10)]
    string = Value("string")
    features = Features({"id": string, "text": string, "label": ClassLabel(names=names), "source": string})
    columns = {
        "id": [f"p{i}" for i in range(30)],
        "text": texts,
        "label": labels,
        "source": [NAMES[i] for i in labels],
    }
    return Dataset.from_dict(columns, features=features)


@pytest.fixture(scope="session")
def train() -> Dataset:
    return table().select([i for i in range(30) if i % 10 < 7])


@pytest.fixture(scope="session")
def dev() -> Dataset:
    return table().select([i for i in range(30) if i % 10 >= 7])


def scrambled(dataset: Dataset) -> tuple[Dataset, np.ndarray]:
    """The same texts with their labels in another order, under other ids and sources."""
    order = np.random.default_rng(7).permutation(len(dataset))
    texts, labels = ([dataset[column][int(i)] for i in order] for column in ("text", "label"))
    columns = {
        "id": [f"x{i}" for i in range(len(order))],
        "text": texts,
        "label": labels,
        "source": ["?"] * len(order),
    }
    return Dataset.from_dict(columns, features=dataset.features), order
