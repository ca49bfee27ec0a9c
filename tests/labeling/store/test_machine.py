"""Whatever people do, in whatever order: nobody votes twice, nothing is lost, and the log knows it all."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from voting import NAMES, Clock, decide, put

from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.queue import queue_of
from rarecase.labeling.store.service import LabelService, item_id
from rarecase.labeling.store.state import Person, Settings, State
from rarecase.labeling.store.transaction import QUEUE_LENGTH

PEOPLE, ITEMS = ["ann", "bob", "eve"], [item_id("b", f"p{i}") for i in range(4)]
people, items, labels = st.sampled_from(PEOPLE), st.sampled_from(ITEMS), st.sampled_from(NAMES)


class Labelling(RuleBasedStateMachine):
    """Three people, four items, two servers, and a model of the votes that stand."""

    def __init__(self) -> None:
        super().__init__()
        self.folder, self.clock = tempfile.TemporaryDirectory(), Clock()
        path = str(Path(self.folder.name) / "labels.sqlite")
        self.services = [LabelService(EventLog(path, clock=self.clock)) for _ in range(2)]
        self.settings = Settings()
        put(self.services[0], len(ITEMS), suggestion="unclear")
        self.acts: dict[str, list[tuple[str, str]]] = {name: [] for name in PEOPLE}
        self.reviews: dict[str, list[str]] = {name: [] for name in PEOPLE}
        self.votes: dict[tuple[str, str], str] = {}
        self.sent: list[tuple] = []

    def teardown(self) -> None:
        for service in self.services:
            service.log.close()
        self.folder.cleanup()

    @initialize(consensus=st.sampled_from(["adjudication", "majority", "model"]), votes=st.integers(1, 3))
    def start(self, consensus, votes):
        self.settings = Settings(votes=votes, consensus=consensus, lease=100)
        self.services[0].start(self.settings)

    @rule(person=people, server=st.integers(0, 1))
    def look(self, person, server):
        queue = [entry["item"] for entry in self.services[server].queue(person).queue]
        assert len(set(queue)) == len(queue) <= QUEUE_LENGTH
        assert not any((item, person) in self.votes for item in queue)

    @rule(person=people, item=items, label=labels, server=st.integers(0, 1))
    def vote(self, person, item, label, server):
        self._vote(person, item, label, server)

    @rule(person=people, label=labels, server=st.integers(0, 1))
    def vote_on_what_is_shown(self, person, label, server):
        if queue := self.services[server].queue(person).queue:
            assert self._vote(person, queue[0]["item"], label, server)

    def _vote(self, person, item, label, server) -> bool:
        event = f"event-{len(self.sent)}"
        answer = self.services[server].vote(person, item, label, event=event)
        if answer.accepted:
            assert (item, person) not in self.votes
            self.votes[item, person] = label
            self.acts[person].append(("vote", item))
            self.sent.append((person, item, label, event))
        return answer.accepted

    @rule(person=people, item=items, kind=st.sampled_from(["skip", "flag"]))
    def skip_or_flag(self, person, item, kind):
        if getattr(self.services[0], kind)(person, item).accepted:
            self.acts[person].append((kind, item))

    @rule(person=people, server=st.integers(0, 1))
    def undo(self, person, server):
        answer = self.services[server].undo(person)
        if not answer.accepted:
            return
        kind, item = self.acts[person].pop()
        assert answer.item == item
        if kind == "vote":
            del self.votes[item, person]

    @rule(data=st.data(), server=st.integers(0, 1))
    @precondition(lambda self: self.sent)
    def send_again(self, data, server):
        person, item, label, event = data.draw(st.sampled_from(self.sent))
        assert self.services[server].vote(person, item, label, event=event).accepted

    @rule(seconds=st.sampled_from([1, 60, 101, 5_000]))
    def time_passes(self, seconds):
        self.clock.now += seconds

    @rule(judge=people, label=st.none() | labels)
    def settle(self, judge, label):
        if waits := self.services[0].to_review(judge):
            assert self.services[1].review(judge, waits[0].id, label).accepted
            self.reviews[judge].append(waits[0].id)

    @rule(judge=people, server=st.integers(0, 1))
    def take_a_review_back(self, judge, server):
        answer = self.services[server].undo_review(judge)
        assert answer.accepted == bool(self.reviews[judge])
        if answer.accepted:
            assert answer.item == self.reviews[judge].pop()
            assert answer.item in {item.id for item in self.services[0].to_review("new")}

    @rule(person=people, classes=st.sets(labels))
    def decline(self, person, classes):
        self.services[0].decline(person, sorted(classes))

    @invariant()
    def the_votes_that_stand_are_those_that_were_accepted(self):
        with self.services[0].state() as state:
            found = {(i.id, name): vote.label for i in state.items.values() for name, vote in i.votes.items()}
        assert found == self.votes

    @invariant()
    def no_item_has_more_votes_and_holders_than_it_needs(self):
        with self.services[0].state() as state:
            for item in state.items.values():
                holders = {name for name, until in item.reservations.items() if until > self.clock.now}
                assert not holders & item.votes.keys()
                assert len(item.votes) + len(holders) <= self.settings.votes

    @invariant()
    def no_item_is_lost(self):
        """It is decided, or waits for an adjudicator, or somebody new gets it once the leases are over."""
        with self.services[0].state() as state:
            decided = decide(state.of_batch("b"), state.settings)
            free = {item.id for item in queue_of(state, Person("new"), self.clock.now + 10_000)}
        for item in state.items.values():
            waits = item in self.services[0].to_review("new") or self.settings.consensus == "model"
            assert item.id in decided or item.id in free or waits

    @invariant()
    def what_is_in_memory_is_what_the_log_comes_to(self):
        for service in self.services:
            with service.state() as state:
                found = decide(state.of_batch("b"), state.settings)
                assert [found[i] for i in ITEMS if i in found] == service.decisions("b")
                anew = State().apply(service.log.since(0))
                anew.changed.clear()
                assert anew == state

    @rule()
    def it_can_be_brought_to_an_end(self):
        """On a copy of the log, since it is one."""
        later = Clock()
        later.now = self.clock.now + 10_000
        service = LabelService(EventLog("sqlite://", clock=later))  # in memory
        with service.log.exclusive() as writer:
            writer.append(self.services[0].log.since(0))
        for name in ("new 1", "new 2", "new 3"):
            while queue := service.queue(name).queue:
                assert service.vote(name, queue[0]["item"], "harmless").accepted
        for item in service.to_review("judge"):
            assert service.review("judge", item.id, "harmful").accepted
        assert len(service.take("b")) == len(ITEMS)
        service.log.close()


Labelling.TestCase.settings = settings(max_examples=20, stateful_step_count=25, deadline=None)
test_labelling = Labelling.TestCase
