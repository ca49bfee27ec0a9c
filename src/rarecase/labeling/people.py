"""
Labels by people, on the page that `rarecase label serve` shows: the loop goes on once all texts are decided.

The name of a batch is a hash of what is asked, so that a run that was killed finds the labels given meanwhile; also
where it had read them and not yet stored.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from rarecase.core.errors import DataError, command_line, one_line
from rarecase.core.progress import Progress, say
from rarecase.data import arrow
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator, labelled
from rarecase.labeling.store.address import address_in
from rarecase.labeling.store.label_store import LabelStore, open_store
from rarecase.labeling.store.state import Decision, Item, Row, class_infos

POLL = 1.0  # seconds between two looks at the store


@dataclass
class People(Annotator):
    """Puts the rows into a label store, and waits until people have labelled them."""

    store: LabelStore
    context: str  # what asks, such as the digest of a run: others that ask for the same texts get labels of their own
    taxonomy: Taxonomy
    serve: str  # the command that shows the texts to people
    wait: Callable[[float], object] = time.sleep  # for so many seconds, until the next look at the store

    suggests = True  # `annotate` is given the learner's guess of each text, which people see after their vote
    leaves_out = True  # what an adjudicator leaves out is not asked for again

    def annotate(self, dataset: Dataset) -> Dataset:
        """The rows that people have labelled, in the order given; those that were left out are not among them."""
        batch = self._put(dataset)
        found = self._decided(batch, len(dataset))
        kept = [(item, decision) for item, decision in found if decision.label is not None]
        row_of = {id_: row for row, id_ in enumerate(dataset["id"][:])}
        with self.store.service.state() as state:
            aliases = {name: person.alias for name, person in state.people.items()}
        return labelled(
            arrow.rows(dataset, [row_of[item.row] for item, _ in kept]),
            [self._index(decision.label) for _, decision in kept],
            self.taxonomy.names,
            annotator=[aliases.get(decision.person, "") for _, decision in kept],
            votes=[self._votes(item, aliases) for item, _ in kept],
        )

    def withdraw(self, dataset: Dataset) -> bool:
        """Takes back what `annotate` has put into the store; False where somebody has labelled a part of it."""
        self.store.sync()  # what people have done elsewhere counts, and they are to know of it
        withdrawn = self.store.service.withdraw(self._batch(zip(dataset["id"][:], dataset["text"][:], strict=True)))
        self.store.sync()
        return withdrawn

    def _batch(self, texts: Iterable[tuple[str, str]]) -> str:
        """The name of the batch of these ids and texts."""
        name = json.dumps([self.context, self.taxonomy.names, sorted(texts)])
        with self.store.service.state() as state:
            while state.is_withdrawn(batch := hashlib.blake2b(name.encode(), digest_size=8).hexdigest()):
                name = batch  # the classes were changed, and are these again
        return batch

    def _put(self, dataset: Dataset) -> str:
        """Adds the texts to the store, where they are not there yet; the name of the batch."""
        ids, texts = dataset["id"][:], dataset["text"][:]
        suggestions = dataset["suggestion"][:] if "suggestion" in dataset.column_names else [None] * len(ids)
        rows = [Row(*row) for row in zip(ids, texts, suggestions, strict=True)]
        batch = self._batch((row.row, row.text) for row in rows)
        self.store.service.add(batch, self.taxonomy.names, rows, about=class_infos(self.taxonomy))
        return batch

    def _decided(self, batch: str, size: int) -> list[tuple[Item, Decision]]:
        """The items with their decisions, once there is one for each."""
        service = self.store.service
        if found := service.take(batch):
            return found
        self.store.start_syncing(_report)
        say(one_line(f"waiting for people to label {size} texts; show them with: {self.serve}"))
        with Progress(size, "label") as progress:
            shown, told = 0, False
            progress.step("labelled by people")
            while not (found := service.take(batch)):
                for _ in range(shown, done := len(service.decisions(batch))):
                    progress.step("labelled by people")
                shown = max(shown, done)
                if waiting := service.in_review(batch):
                    progress.describe(f"labelled by people; {waiting} wait for a reviewer, at /settle/ of the page")
                    if not told and done + waiting == size:  # nobody else can go on
                        say(f"all but {waiting} are labelled; these wait for a reviewer, at /settle/ of the page")
                        told = True
                self.wait(POLL)
        return found

    def _votes(self, item: Item, aliases: Mapping[str, str]) -> list[dict[str, Any]]:
        return [
            {"annotator": aliases[vote.person], "label": self._index(vote.label), "seconds": vote.seconds}
            for vote in sorted(item.votes.values(), key=lambda vote: vote.at)
        ]

    def _index(self, label: str | None) -> int:
        if label not in self.taxonomy.names:  # whoever shares the store may have added classes to the batch
            raise DataError("label store: a text has a label that is no class of this run; name another --store")
        return self.taxonomy.names.index(label)


def _report(trouble: str) -> None:
    """Says why nobody may see the texts, or no labels come; the run waits on, so that no command is to be repeated."""
    said = f"{trouble.removesuffix('; repeat the command')}; it is tried again" if trouble else "it is reached again"
    say(one_line(f"label store: {said}"))


@contextmanager
def people(folder: Path, address: str | None, taxonomy: Taxonomy, context: str) -> Iterator[People]:
    """People at a label store, by default that of the folder, which is closed in the end; `context` as in `People`."""
    address = address_in(folder, address)
    with closing(open_store(address)) as store:
        yield People(store, context, taxonomy, command_line("label", "serve", "--store", address))
