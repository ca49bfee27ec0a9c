"""The service: which votes count, what is undone, and what the loop is given; the same in both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from voting import NAMES, Clock, items_of, put, vote_next

from rarecase.labeling.store.device_codes import LASTS
from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.kinds import Event
from rarecase.labeling.store.service import MAX_COMMENT, LabelService, Row, clean, item_id
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.store.transaction import QUEUE_LENGTH


def test_two_people_who_agree_decide_an_item(url):
    service = LabelService(EventLog(url))
    put(service, 1, suggestion="unclear")
    first = vote_next(service, "ann", "harmful")
    assert (first.accepted, first.suggestion, first.queue) == (True, "unclear", [])
    assert first.progress == {"done": 1, "left": 0, "decided": 0, "total": 1, "open_for": "others"}
    second = vote_next(service, "bob", "harmful")
    assert second.progress == {"done": 1, "left": 0, "decided": 1, "total": 1, "open_for": "nothing"}
    [(item, decision)] = LabelService(EventLog(url)).take("b")
    assert (item.row, decision.label, decision.by, decision.person) == ("p0", "harmful", "agreement", "ann")


def test_a_vote_needs_an_item_of_ones_own_and_a_class_of_the_batch(service):
    put(service, QUEUE_LENGTH + 1)
    item, *_ = items_of(service.queue("ann"))
    for person, what, label, reason in [
        ("bob", item_id("b", f"p{QUEUE_LENGTH}"), "harmful", "this text is not yours"),
        ("ann", "forged", "harmful", "this text is not yours"),
        ("ann", item, "no class", "there is no such class"),
    ]:
        answer = service.vote(person, what, label)
        assert (answer.accepted, answer.reason, answer.suggestion) == (False, reason, None)
    assert service.vote("ann", item, "harmful").accepted
    again = service.vote("ann", item, "harmless")
    assert (again.accepted, again.reason) == (False, "you have labelled this text already")


def test_a_vote_sent_twice_is_one_vote_also_after_others_have_come(service):
    put(service, 3, suggestion="unclear")
    [first, second, _] = items_of(service.queue("ann"))
    for _ in range(3):
        answer = service.vote("ann", first, "harmful", event="click-1")
        assert (answer.accepted, answer.suggestion) == (True, "unclear")
    assert service.vote("ann", second, "harmless", event="click-2").accepted
    assert service.vote("ann", first, "harmful", event="click-1").accepted
    assert answer.progress["done"] == 1
    assert [e.kind for e in service.log.since(0)].count("vote") == 2


def test_the_id_of_another_vote_is_not_accepted(service):
    put(service, 3)
    [first, second, _], _ = items_of(service.queue("ann")), service.queue("bob")
    assert service.vote("ann", first, "harmful", event="click-1").accepted
    for answer in (
        service.vote("bob", first, "harmful", event="click-1"),
        service.vote("ann", second, "harmful", event="click-1"),
        service.vote("ann", first, "harmless", event="click-1"),
        service.skip("ann", first, event="click-1"),
        service.comment("ann", first, "text", event="click-1"),
        service.undo("ann", event="click-1"),
        service.review("ann", first, "harmful", event="click-1"),
    ):
        assert (answer.accepted, answer.reason) == (False, "this was sent before, for something else")
    for unreadable in ("x" * 37, "\ud800", "a b", "ü"):
        assert "unreadable" in service.vote("bob", first, "harmful", event=unreadable).reason
    assert [e.kind for e in service.log.since(0)].count("vote") == 1


def test_undo_after_undo_goes_back_step_by_step(service):
    put(service, 3)
    one, two, three = items_of(service.queue("ann"))
    service.vote("ann", one, "harmful")
    service.skip("ann", two)
    service.flag("ann", three)
    for item in (three, two, one):
        answer = service.undo("ann")
        assert answer.accepted
        assert (answer.item, answer.queue[0]["item"]) == (item, item)
    assert items_of(answer) == [one, two, three]
    assert service.undo("ann").reason == "there is nothing to undo"
    with service.state() as state:
        assert not any(item.votes or item.flags for item in state.items.values())
    assert service.vote("ann", one, "harmless").accepted


def test_an_undo_sent_twice_is_one(service):
    put(service, 2)
    for item in items_of(service.queue("ann")):
        service.vote("ann", item, "harmful")
    assert service.undo("ann", event="u1").accepted
    assert service.undo("ann", event="u1").progress["done"] == 1


def test_an_undo_takes_back_what_is_meant_or_nothing(service):
    put(service, 3)
    first, second, _ = items_of(service.queue("ann"))
    assert service.vote("ann", first, "harmful", event="v1").accepted
    assert not service.vote("ann", second, "no class", event="v2").accepted
    for of in ("v2", "another tab's"):
        answer = service.undo("ann", of=of)
        assert (answer.accepted, answer.progress["done"]) == (False, 1)
        assert "was not counted, or is not your last one" in answer.reason
    assert service.vote("ann", second, "harmless", event="v3").accepted
    assert not service.undo("ann", of="v1").accepted
    for _ in range(2):
        assert service.undo("ann", of="v3", event="u1").progress["done"] == 1
    assert service.undo("ann", of="v1", event="u1").reason == "this was sent before, for something else"
    assert service.undo("ann", of="v1").progress["done"] == 0


def test_a_vote_may_be_taken_back_until_its_label_is_in_use(service):
    put(service, 2)
    for name in ("ann", "bob"):
        for item in items_of(service.queue(name)):
            service.vote(name, item, "harmful" if name == "ann" or item == item_id("b", "p0") else "harmless")
    [dispute] = service.to_review("eve")
    assert service.review("eve", dispute.id, "unclear").accepted
    assert service.undo("ann").reason == "your last label is in use already"
    assert len(service.take("b")) == 2
    assert service.undo("bob").reason == "your last label is in use already"


def test_a_review_may_be_taken_back_by_whoever_gave_it_until_its_label_is_in_use(service):
    put(service, 2)
    for name, label in (("ann", "harmful"), ("bob", "harmless")):
        for item in items_of(service.queue(name)):
            service.vote(name, item, label)
    first, second = (item.id for item in service.to_review("eve"))
    assert service.review("eve", first, "unclear", event="r1").accepted
    assert service.review("eve", second, None, event="r2").accepted
    assert service.undo_review("ann").reason == "there is nothing to undo"
    assert service.undo("eve").reason == "there is nothing to undo"  # on the labeling page, where she labelled nothing
    assert "is not your last one" in service.undo_review("eve", of="r1").reason
    for _ in range(2):  # sent twice, it is one
        assert service.undo_review("eve", of="r2", event="u1").accepted
    assert [item.id for item in service.to_review("eve")] == [second]
    assert service.undo("ann").accepted  # a vote counts again, and can be taken back again
    assert service.to_review("eve") == []
    service.vote("ann", second, "harmful")
    assert service.review("eve", second, "harmful").accepted
    assert {decision.label for _, decision in service.take("b")} == {"unclear", "harmful"}
    assert service.undo_review("eve").reason == "your last label is in use already"


def test_votes_on_texts_that_were_withdrawn_meanwhile_count_for_no_agreement(service):
    """As where a Space and the run that takes its texts back know of each other too late."""
    put(service, 1)
    for name, label in (("ann", "harmful"), ("bob", "harmless")):
        service.vote(name, service.queue(name).queue[0]["item"], label)
    assert service.agreement().items == 1
    with service.log.exclusive() as writer:
        writer.append([Event("taken", data={"batch": "b", "decisions": {}})])
    assert service.agreement().items == 0


def test_a_skip_taken_back_does_not_take_the_item_from_others(service):
    put(service, QUEUE_LENGTH + 1)
    item = service.queue("ann").queue[0]["item"]
    assert item not in items_of(service.skip("ann", item))
    assert items_of(service.queue("bob"))[0] == items_of(service.queue("eve"))[0] == item
    back = service.undo("ann")
    assert back.accepted
    assert item not in items_of(back)
    assert (
        service.vote("ann", item, "harmful").reason == "your reservation expired, and others have labelled this text"
    )


def test_a_flagged_item_waits_for_an_adjudicator_who_may_leave_it_out(service):
    put(service, 1)
    [item] = items_of(service.queue("ann"))
    service.queue("bob")
    assert service.comment("ann", item, "look \0 here").accepted
    assert service.flag("ann", item).accepted
    assert service.vote("ann", item, "harmful").reason == "you have labelled this text already"
    [waits] = service.to_review("eve")
    assert waits.comments == [("ann", "look  here")]
    service.vote("bob", item, "harmful")
    assert service.to_review("bob") == []
    assert service.review("bob", item, None).reason == "this text does not wait for your review"
    assert service.review("eve", item, "no class").reason == "there is no such class"
    assert service.review("eve", item, None, event="s1").accepted
    assert service.review("eve", item, None, event="s1").accepted
    assert service.review("eve", item, "harmful").reason == "this text does not wait for your review"
    assert service.take("b")[0][1].label is None


def test_a_comment_is_cut_and_only_for_ones_own_items(service):
    put(service, QUEUE_LENGTH + 1)
    item, *_ = items_of(service.queue("ann"))
    assert service.comment("bob", item_id("b", f"p{QUEUE_LENGTH}"), "mine?").reason == "this text is not yours"
    assert service.comment("ann", item, "x" * 10_000, event="c1").accepted
    assert service.comment("ann", item, "x" * 10_000, event="c1").accepted
    with service.state() as state:
        assert [len(text) for _, text in state.items[item].comments] == [MAX_COMMENT]


def test_seconds_are_what_can_be_true(service, clock):
    put(service, 3)
    said = {}
    for seconds in (float("nan"), -5.0, 1e9):
        item = service.queue("ann").queue[0]["item"]
        clock.now += 7
        service.vote("ann", item, "harmful", seconds=seconds)
        with service.state() as state:
            said[str(seconds)] = state.items[item].votes["ann"].seconds
    assert said == {"nan": 0.0, "-5.0": 0.0, "1000000000.0": 21.0}


def test_a_suggestion_seen_before_is_recorded(service):
    put(service, 1, suggestion="harmful")
    vote_next(service, "ann", "harmless")
    service.undo("ann")
    vote_next(service, "ann", "harmful")
    assert [e.data["seen"] for e in service.log.since(0) if e.kind == "vote"] == [False, True]


def test_a_name_is_the_first_browsers_until_it_is_forgotten(url):
    service, other = LabelService(EventLog(url)), LabelService(EventLog(url))
    assert service.bind("ann", "browser 1") is None
    assert service.bind("ann", "browser 1") is None
    assert other.bind("ann", "browser 2") == (
        "has signed in with another browser: enter a code that it shows, or choose another name"
    )
    assert other.forget("ann")
    assert not other.forget("ann")
    assert not service.forget("nobody")
    assert other.bind("ann", "browser 2") is None
    assert service.bind("ann", "browser 1") is not None
    assert (service.browsers_of("ann"), other.browsers_of("bob")) == (("browser 2",), ())
    other.forget("ann")
    assert service.browsers_of("ann") == ()


def test_a_code_signs_in_one_more_browser_once_and_soon(url):
    clock = Clock()
    service = LabelService(EventLog(url, clock=clock))
    assert service.bind("ann", "laptop") is None
    refused = "has no such code, or not any more: let the other device show a new one"
    replaced, code = service.device_code("ann"), service.device_code("ann")
    for name, tried in (("ann", replaced), ("ann", "x"), ("bob", code), ("ann", "﹣")):
        assert service.bind(name, "phone", code=tried) == refused
    assert service.bind("ann", "phone", code=code.lower().replace("-", " ")) is None
    assert service.browsers_of("ann") == ("phone", "laptop")
    assert service.bind("ann", "tablet", code=code) == refused
    late = service.device_code("ann")
    for moved in (LASTS, -2 * LASTS):  # and one of a clock that was set back is as old
        clock.now += moved
        assert service.bind("ann", "tablet", code=late) == refused
    service.device_code("ann")
    assert service.bind("ann", "laptop 2", "laptop") is None  # signed in again, or out
    assert service.browsers_of("ann") == ("laptop 2", "phone")
    for number in range(9):
        assert service.bind("ann", f"tablet {number}", code=service.device_code("ann")) is None
    assert service.browsers_of("ann") == tuple(f"tablet {number}" for number in (8, 7, 6, 5, 4))
    offered = service.device_code("ann")
    service.forget("ann")
    assert service.bind("ann", "laptop", code=offered) == refused
    service.bind("ann", "laptop")
    offered = service.device_code("ann")
    service.give_codes(["ann"], anew=True)
    assert service.bind("ann", "phone", code=offered) == refused
    stored = str([event.data for event in service.log.since(0)])
    assert not any(part in stored for part in (code, code.replace("-", ""), offered))


def test_a_browser_that_is_signed_out_for_good_leaves_the_name_to_the_others_or_to_nobody(service):
    service.bind("ann", "laptop")
    service.bind("ann", "phone", code=service.device_code("ann"))
    service.unbind("ann", "laptop")
    assert service.browsers_of("ann") == ("phone",)
    service.unbind("ann", "phone")
    assert "phone" not in service.browsers_of("ann")
    assert service.bind("ann", "a stranger") is not None
    service.bind_alone("ann", "by a link")
    assert service.browsers_of("ann") == ("by a link",)
    service.forget("ann")
    service.unbind("ann", "by a link")
    assert service.browsers_of("ann") == (), "a name that was released stays free"


def test_who_reads_ends_no_transaction_that_others_share(url):
    """A page's request reads who asks before it acts; with a commit for each, many at once wait for the disk."""
    service = LabelService(EventLog(url))
    put(service, 40)
    exclusive, commits = service.log.exclusive, []

    @contextmanager
    def counted():
        with exclusive() as held:
            yield held
            time.sleep(0.03)
        commits.append(held)

    service.log.exclusive = counted

    def ask(name: str) -> None:
        service.browsers_of(name)
        assert service.decline(name, [NAMES[0]]).declined == [NAMES[0]]
        service.browsers_of(name)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(ask, [f"person {i}" for i in range(40)]))
    assert len(commits) < 20


def test_who_reads_sees_nothing_that_is_not_in_the_log(service):
    with service.transaction() as transaction, ThreadPoolExecutor(1) as pool:
        transaction.append("bind", None, "ann", browser="browser 1")
        assert (
            pool.submit(service.browsers_of, "ann").result(60) == ()
        )  # and it does not wait for the transaction to end
    assert service.browsers_of("ann") == ("browser 1",)


def test_a_commit_that_fails_leaves_no_trace_in_memory(service):
    put(service, 1)
    [item] = items_of(service.queue("ann"))

    def fails() -> None:
        with service.transaction() as transaction:
            transaction.append("vote", item, "ann", label="harmful", seconds=0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    with service.state() as state:
        assert not state.items[item].votes
    assert service.vote("ann", item, "harmless").accepted


def test_adding_twice_changes_nothing_and_more_can_be_added(service):
    put(service, 2)
    before = len(service.log.since(0))
    put(service, 2)
    assert len(service.log.since(0)) == before
    put(service, 3)
    assert len(service.log.since(0)) == before + 1


def test_what_is_shown_of_classes_and_what_is_no_text(service):
    service.add("b", NAMES, [Row("1", "a\0b\ud800c")], about={"harmful": {"definition": "d", "example": "e"}})
    assert service.queue("ann").queue == [{"item": item_id("b", "1"), "text": "ab�c", "names": NAMES}]
    assert service.queue("ann").about == {
        "harmful": {"definition": "d", "example": "e"},
        "harmless": {},
        "unclear": {},
    }
    with service.state() as state:
        assert state.cleaned == {"nul": 1, "surrogates": 1}
    assert clean("💡 all text") == ("💡 all text", {})


def test_a_batch_is_taken_when_all_of_it_is_decided_and_then_stays_as_it_was(service):
    assert service.take("unknown") is None
    service.start(Settings(votes=1))
    put(service, 2)
    vote_next(service, "ann", "harmful")
    assert service.take("b") is None
    assert [decision.label for decision in service.decisions("b")] == ["harmful"]
    vote_next(service, "ann", "harmless")
    taken = [(item.row, decision.label) for item, decision in service.take("b")]
    assert taken == [("p0", "harmful"), ("p1", "harmless")]
    service.start(Settings(votes=3))  # of which nothing here has so many
    assert [(item.row, decision.label) for item, decision in service.take("b")] == taken
    assert [(i.row, d.label) for i, d in LabelService(service.log).take("b")] == taken
    assert [event.kind for event in service.log.since(0)].count("taken") == 1
    assert service.queue("bob").progress == {"done": 0, "left": 0, "decided": 0, "total": 0, "open_for": "nothing"}


def test_aliases_follow_the_first_votes_and_are_kept(service):
    put(service, 2)
    for name in ("zoe", "ann"):
        service.queue(name)
    vote_next(service, "ann", "harmful")
    vote_next(service, "zoe", "harmful")
    service.undo("ann")
    with service.state() as state:
        assert {name: person.alias for name, person in state.people.items()} == {"ann": "A1", "zoe": "A2"}


def test_events_of_a_kind_that_is_not_known_are_passed_over(service, clock):
    put(service, 1)
    with service.log.exclusive() as writer:
        writer.append([Event("of-the-future", "no item", "nobody", {"x": 1})])
    assert len(items_of(LabelService(EventLog(service.log.url, clock=Clock())).queue("ann"))) == 1
