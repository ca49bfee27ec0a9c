"""What the votes on an item come to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rarecase.labeling.store.settings import Settings
from rarecase.labeling.store.state import Decision, Item, State


class Decisions:
    """What is decided in a state that goes on: only items to which something happened are looked at again."""

    def __init__(self, state: State):
        self.state = state
        self._settings = state.settings
        self._by_item: dict[str, dict[str, Decision]] = {}  # what items come to by themselves, by batch
        self._by_model: dict[str, dict[str, Decision]] = {}  # of batches that have all their votes

    def of(self, batch: str) -> Mapping[str, Decision]:
        """The decisions of a batch by item; of a batch that is taken, those that were taken."""
        if batch in self.state.taken:
            return self.state.taken[batch]
        self._update()
        found, modelled = self._by_item.get(batch, {}), self._by_model.get(batch)
        return found | modelled if modelled else found

    def needs_review(self, item: Item) -> bool:
        """Whether it waits for an adjudicator: it is flagged, or its votes differ and nothing else decides that."""
        self._update()
        if item.use != "work" or item.batch in self.state.taken:
            return False
        if any(item.id in found.get(item.batch, ()) for found in (self._by_item, self._by_model)):
            return False
        waits_for_model = self._settings.consensus == "model" and item.batch not in self._by_model
        return bool(item.flags) or (len(item.votes) >= self._settings.votes and not waits_for_model)

    def _update(self) -> None:
        changed: Iterable[str] = self.state.changed
        if self._settings != self.state.settings:
            self._settings, changed = self.state.settings, self.state.items
            self._by_model.clear()
        batches = set()
        for item in map(self.state.items.__getitem__, changed):
            found = self._by_item.setdefault(item.batch, {})
            batches.add(item.batch)
            if decision := _by_item(item, self._settings):
                found[item.id] = decision
            else:
                found.pop(item.id, None)
        self.state.changed.clear()
        for batch in batches if self._settings.consensus == "model" else ():
            self._by_model.pop(batch, None)
            items = self.state.of_batch(batch)
            if items[0].use != "work":  # nobody asks what is decided of these, and with each vote it would take long
                continue
            if all(len(item.votes) >= self._settings.votes or item.verdict or item.flags for item in items):
                self._by_model[batch] = _by_model(items, self._by_item[batch], self._settings)


def _by_item(item: Item, settings: Settings) -> Decision | None:
    """The decision on one item, independent of the others; one that is flagged waits for an adjudicator."""
    if item.verdict:
        return Decision(item.verdict.label, "adjudication", item.verdict.reviewer)
    if len(item.votes) < settings.votes or item.flags:
        return None
    (label, most), *others = Counter(vote.label for vote in item.votes.values()).most_common()
    if not others:
        return _decision(item, label, "vote" if most == 1 else "agreement")
    if settings.consensus == "majority" and most > others[0][1]:
        return _decision(item, label, "majority")
    return None


def _by_model(items: Sequence[Item], found: Mapping[str, Decision], settings: Settings) -> dict[str, Decision]:
    """
    By a model of how good each annotator is (Dawid and Skene, 1979), of a batch that has all its votes; where it takes
    a class that nobody gave, a person has to decide.
    """
    if len(found) == len(items):
        return {}
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    voted = [item for item in items if len(item.votes) >= settings.votes and not item.flags]
    votes = [(item.id, vote.person, vote.label) for item in voted for vote in item.votes.values()]
    labels: Any = DawidSkene(n_iter=100).fit_predict(pd.DataFrame(votes, columns=["task", "worker", "label"]))
    return {
        item.id: _decision(item, labels[item.id], "model")
        for item in voted
        if item.id not in found and any(vote.label == labels[item.id] for vote in item.votes.values())
    }


def _decision(item: Item, label: str, by: Literal["vote", "agreement", "majority", "model"]) -> Decision:
    first = min((vote for vote in item.votes.values() if vote.label == label), key=lambda vote: vote.at)
    return Decision(label, by, first.person)
