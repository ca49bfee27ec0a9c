"""What the votes on an item come to."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rarecase.labeling.store.state import Decision, Item, Settings, State


class Decided:
    """
    What is decided, of a state that goes on: only items to which something happened are looked at again.

    Args:
        state (`State`): whose items.

    Example:
        >>> Decided(state).of("4f1c")["3f2a"].label
        'legal-advice'
    """

    def __init__(self, state: State):
        self.state = state
        self._settings = state.settings
        self._alone: dict[str, dict[str, Decision]] = {}
        self._modelled: dict[str, dict[str, Decision]] = {}
        self._complete: set[str] = set()  # batches that have all their votes

    def of(self, batch: str) -> Mapping[str, Decision]:
        """
        The items of a batch that are decided, by the id of the item; of a batch that is taken, what was taken. An item
        that is flagged waits for an adjudicator.
        """
        if batch in self.state.taken:
            return self.state.taken[batch]
        self._catch_up()
        modelled = self._modelled.get(batch)
        return self._alone.get(batch, {}) | modelled if modelled else self._alone.get(batch, {})

    def disputed(self, item: Item) -> bool:
        """Whether it waits for an adjudicator: it is flagged, or its votes differ and nothing else decides that."""
        self._catch_up()
        if item.use != "work" or item.batch in self.state.taken:
            return False
        if any(item.id in found.get(item.batch, ()) for found in (self._alone, self._modelled)):
            return False
        waits_for_model = self._settings.consensus == "model" and item.batch not in self._complete
        return bool(item.flags) or (len(item.votes) >= self._settings.votes and not waits_for_model)

    def _catch_up(self) -> None:
        if self._settings != self.state.settings:
            self._settings = self.state.settings
            self._look_at(self.state.items)
        elif self.state.touched:
            self._look_at(self.state.touched)
        self.state.touched.clear()

    def _look_at(self, items: Iterable[str]) -> None:
        changed = set()
        for item in map(self.state.items.__getitem__, items):
            found = self._alone.setdefault(item.batch, {})
            changed.add(item.batch)
            if said := _alone(item, self._settings):
                found[item.id] = said
            else:
                found.pop(item.id, None)
        if self._settings.consensus != "model":
            return self._modelled.clear()
        for batch in changed:
            all_ = self.state.of_batch(batch)
            (self._complete.add if _complete(all_, self._settings) else self._complete.discard)(batch)
            self._modelled[batch] = _modelled(all_, self._alone[batch], self._settings)
        return None


def _alone(item: Item, settings: Settings) -> Decision | None:
    """What an item comes to, whatever is said of others."""
    if item.settled:
        return Decision(item.verdict, "adjudication", item.judge or "")
    if len(item.votes) < settings.votes or item.flags:
        return None
    counted = Counter(vote.label for vote in item.votes.values()).most_common()
    label, most = counted[0]
    if len(counted) == 1:
        return _said(item, label, "vote" if most == 1 else "agreement")
    if settings.consensus == "majority" and most > counted[1][1]:
        return _said(item, label, "majority")
    return None


def _modelled(items: Sequence[Item], found: Mapping[str, Decision], settings: Settings) -> dict[str, Decision]:
    """
    By a model of how good each annotator is (Dawid and Skene, 1979), once every item has its votes; where it takes a
    class that nobody gave, a person has to decide.
    """
    if settings.consensus != "model" or len(found) == len(items) or not _complete(items, settings):
        return {}
    import pandas as pd
    from crowdkit.aggregation import DawidSkene

    voted = [item for item in items if len(item.votes) >= settings.votes and not item.flags]
    votes = [(item.id, vote.person, vote.label) for item in voted for vote in item.votes.values()]
    labels: Any = DawidSkene(n_iter=100).fit_predict(pd.DataFrame(votes, columns=["task", "worker", "label"]))
    return {
        item.id: _said(item, labels[item.id], "model")
        for item in voted
        if item.id not in found and any(vote.label == labels[item.id] for vote in item.votes.values())
    }


def _complete(items: Sequence[Item], settings: Settings) -> bool:
    return all(len(item.votes) >= settings.votes or item.settled or item.flags for item in items)


def _said(item: Item, label: str, by: Literal["vote", "agreement", "majority", "model"]) -> Decision:
    first = min((vote for vote in item.votes.values() if vote.label == label), key=lambda vote: vote.at)
    return Decision(label, by, first.person)
