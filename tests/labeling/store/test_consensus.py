"""What votes come to, in the three ways of deciding."""

import numpy as np
import pytest
from voting import NAMES, decide, items_of, put, vote_next

from rarecase.labeling.store.state import Item, Settings, Verdict, Vote


def item(number: int, *votes: tuple[str, str], **more) -> Item:
    cast = {name: Vote(name, name, label, 1.0, float(at)) for at, (name, label) in enumerate(votes)}
    return Item(f"i{number}", "b", f"p{number}", "text", votes=cast, **more)


@pytest.mark.parametrize(
    ("votes", "consensus", "expected"),
    [
        ([("ann", "a"), ("bob", "a")], "adjudication", ("a", "agreement", "ann")),
        ([("ann", "a"), ("bob", "b")], "adjudication", None),
        ([("ann", "a"), ("bob", "b"), ("eve", "b")], "adjudication", None),
        ([("ann", "a"), ("bob", "b"), ("eve", "b")], "majority", ("b", "majority", "bob")),
        ([("ann", "a"), ("bob", "b")], "majority", None),
        ([("ann", "a")], "majority", None),
    ],
)
def test_an_item_by_its_votes(votes, consensus, expected):
    found = decide([item(0, *votes)], Settings(votes=2, consensus=consensus)).get("i0")
    assert (found and (found.label, found.by, found.person)) == expected


def test_one_vote_may_be_enough():
    found = decide([item(0, ("ann", "a"))], Settings(votes=1))["i0"]
    assert (found.label, found.by) == ("a", "vote")


def test_the_adjudicator_decides_whatever_the_votes_say():
    settled = item(0, ("ann", "a"), ("bob", "a"), verdict=Verdict("r", None, "eve"), flags={"ann"})
    found = decide([settled], Settings())["i0"]
    assert (found.label, found.by, found.person) == (None, "adjudication", "eve")
    assert decide([item(0, ("ann", "a"), ("bob", "a"), flags={"eve"})], Settings()) == {}


def crowd(size: int, spammer: str) -> tuple[list[Item], list[str]]:
    """Two people who are nearly always right, and one who says anything."""
    rng = np.random.default_rng(0)
    truth = [("a", "b")[n % 2] for n in range(size)]
    wrong = {"a": "b", "b": "a"}
    made = []
    for number, label in enumerate(truth):
        good = [(name, label if rng.random() < 0.95 else wrong[label]) for name in ("ann", "bob")]
        made.append(item(number, *good, (spammer, str(rng.choice(["a", "b"])))))
    return made, truth


def test_the_model_weighs_people_by_how_good_they_are():
    items, truth = crowd(60, "eve")
    found = decide(items, Settings(votes=3, consensus="model"))
    assert len(found) == len(items)
    assert {decision.by for decision in found.values()} == {"agreement", "model"}
    right = [found[i.id].label == label for i, label in zip(items, truth, strict=True)]
    assert np.mean(right) > 0.9
    for i in items:
        assert i.votes[found[i.id].person].label == found[i.id].label


def test_the_model_waits_for_all_votes_of_a_batch():
    items, _ = crowd(20, "eve")
    del items[3].votes["eve"]
    found = decide(items, Settings(votes=3, consensus="model"))
    assert {decision.by for decision in found.values()} == {"agreement"}


def test_texts_whose_answer_is_known_are_not_modelled():
    """It takes most of a second with each vote of a qualification round, while the log is locked."""
    said = [item(0, ("ann", "a"), ("bob", "b")), item(1, ("ann", "a"), ("bob", "a"))]
    for use, expected in (("work", {"model", "agreement"}), ("qualify", {"agreement"})):
        for one in said:
            one.use = use
        assert {decision.by for decision in decide(said, Settings(consensus="model")).values()} == expected


def test_a_service_asks_the_adjudicator_only_where_the_model_does_not_decide(service):
    service.start(Settings(votes=2, consensus="model"))
    put(service, 3)
    for name, labels in {"ann": NAMES, "bob": NAMES[::-1]}.items():
        for place, label in enumerate(labels):
            assert service.to_review("eve") == []
            if (name, place) != ("bob", 2):
                vote_next(service, name, label)
    service.flag("bob", items_of(service.queue("bob"))[0])
    assert [waits.row for waits in service.to_review("eve")] == ["p2"]
    assert [decision.by for decision in service.decisions("b")] == ["model", "agreement"]
    service.review("eve", service.to_review("eve")[0].id, "harmful")
    assert len(service.take("b")) == 3
