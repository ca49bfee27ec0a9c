"""What tests of labels by people share: texts to label, and people who label them."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence

from rarecase.labeling.store.consensus import Decisions
from rarecase.labeling.store.service import LabelService, Row
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.store.state import Decision, Item, State
from rarecase.labeling.store.transaction import Answer

NAMES = ["harmful", "harmless", "unclear"]


class Clock:
    """The time of day, as a test says."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@contextlib.contextmanager
def meanwhile(act: Callable[[], object]) -> Iterator[None]:
    """Does something again and again beside the block, until that ends."""
    stopped = threading.Event()

    def repeat() -> None:
        while not stopped.wait(0.01):
            act()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def put(service: LabelService, count: int, batch: str = "b", use: str = "work", **row: str) -> None:
    """Puts so many texts into a service."""
    service.add(batch, NAMES, [Row(f"p{i}", f"text {i}", **row) for i in range(count)], use=use)


def items_of(answer: Answer) -> list[str]:
    """The items that a page would hold."""
    return [entry["item"] for entry in answer.queue]


def vote_next(service: LabelService, person: str, label: str, seconds: float = 0.0) -> Answer:
    """Labels what is on the person's screen."""
    answer = service.vote(person, service.queue(person).queue[0]["item"], label, seconds=seconds)
    assert answer.accepted, answer.reason
    return answer


def decide(items: Sequence[Item], settings: Settings) -> dict[str, Decision]:
    """What the items of a batch come to when all of them are looked at anew."""
    found = {item.id: item for item in items}
    state = State(settings=settings, items=found, batches={item.batch: list(items) for item in items})
    state.changed |= found.keys()
    decided = Decisions(state)
    return {id_: said for batch in state.batches for id_, said in decided.of(batch).items()}
