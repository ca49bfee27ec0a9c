"""The desk: who gets what, what may be said of it, and what is taken back; the same in both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from labelling import NAMES, Clock, items_of, put, vote_next

from rarecase.labeling.store.desk import LONGEST_COMMENT, Desk, clean, item_id
from rarecase.labeling.store.hand import AHEAD
from rarecase.labeling.store.log import Event, Log
from rarecase.labeling.store.state import Settings


def test_two_people_who_agree_decide_an_item(url):
    desk = Desk(Log(url))
    put(desk, 1, suggestion="unclear")
    first = vote_next(desk, "ann", "harmful")
    assert (first.accepted, first.suggestion, first.queue) == (True, "unclear", [])
    assert first.progress == {"done": 1, "left": 0, "decided": 0, "total": 1, "open_for": "others"}
    second = vote_next(desk, "bob", "harmful")
    assert second.progress == {"done": 1, "left": 0, "decided": 1, "total": 1, "open_for": "nothing"}
    [(item, decision)] = Desk(Log(url)).take("b")
    assert (item.row, decision.label, decision.by, decision.person) == ("p0", "harmful", "agreement", "ann")


def test_an_item_is_leased_to_as_many_as_it_needs_and_no_more(desk):
    put(desk, 2 * AHEAD)
    ann, bob, eve = (items_of(desk.queue(name)) for name in ("ann", "bob", "eve"))
    assert ann == bob
    assert not set(ann) & set(eve)
    assert items_of(desk.queue("ann")) == ann


def test_a_lease_ends_and_the_item_goes_to_others(desk, clock):
    put(desk, AHEAD)
    ann, _ = items_of(desk.queue("ann")), desk.queue("bob")
    assert items_of(desk.queue("eve")) == []
    clock.now += 601
    assert items_of(desk.queue("eve")) == ann
    assert items_of(desk.queue("fay")) == ann
    late = desk.vote("ann", ann[0], NAMES[0])
    assert (late.accepted, late.reason) == (False, "it was kept for you too long, and others have labelled it")
    assert desk.vote("eve", ann[0], NAMES[0]).accepted


def test_a_page_that_nobody_sits_at_holds_nothing_for_longer_than_a_lease(desk, clock):
    desk.start(Settings(votes=1))
    put(desk, 2 * AHEAD + 1)
    ann = items_of(desk.queue("ann"))
    assert desk.vote("ann", ann[0], NAMES[0]).accepted
    clock.now += 300
    assert items_of(desk.queue("bob")) == [item_id("b", f"p{i}") for i in range(AHEAD + 1, 2 * AHEAD + 1)]
    for _ in range(21):  # the page asks by itself every 15 seconds
        clock.now += 15
        shown = items_of(desk.queue("ann"))
    assert shown == [*ann[1:], item_id("b", f"p{AHEAD}")]  # it still shows what was on it
    assert items_of(desk.queue("eve")) == shown
    assert items_of(desk.queue("ann")) == []
    for item in shown:
        assert desk.vote("eve", item, NAMES[0]).accepted


def test_who_does_something_keeps_what_is_on_the_screen(desk, clock):
    desk.start(Settings(votes=1))
    put(desk, 3 * AHEAD)
    held = items_of(desk.queue("ann"))
    for item in held:
        clock.now += 400
        assert held[-1] in items_of(desk.queue("ann"))
        assert held[-1] not in items_of(desk.queue("bob"))
        assert desk.vote("ann", item, NAMES[0]).accepted


def test_who_comes_back_votes_on_what_is_there_and_is_given_more(desk, clock):
    desk.start(Settings(votes=1))
    put(desk, 2 * AHEAD)
    desk.queue("ann")
    clock.now += 5_000
    shown = items_of(desk.queue("ann"))
    clock.now += 10
    assert items_of(desk.vote("ann", shown[0], NAMES[0]))[: AHEAD - 1] == shown[1:]
    assert not set(items_of(desk.queue("bob"))) & set(items_of(desk.queue("ann")))


def test_a_vote_on_its_way_counts_where_a_lost_disk_took_the_lease(tmp_path, clock):
    """Leases are not on the Hub: the page sends what it was given by a server that is no longer there."""
    before, after = (Desk(Log(str(tmp_path / f"{name}.sqlite"), clock=clock)) for name in ("before", "after"))
    for desk in (before, after):
        put(desk, AHEAD + 1)
    *_, item = items_of(before.queue("ann"))
    clock.now += 100
    assert after.vote("ann", item, NAMES[0], seconds=40.0, event="click-1").accepted
    assert after.comment("ann", item, "on its way").accepted
    with after.state() as state:
        assert state.items[item].votes["ann"].seconds == 40.0
        assert state.items[item].comments == [("ann", "on its way")]
    beyond = after.flag("bob", item_id("b", f"p{AHEAD}"))
    assert beyond.reason == "this text is not yours"  # what they would not be given now


def test_a_late_vote_counts_where_nobody_else_has_the_item(desk, clock):
    put(desk, 1)
    [item] = items_of(desk.queue("ann"))
    clock.now += 5_000
    assert desk.vote("ann", item, NAMES[0]).accepted


def test_a_vote_needs_an_item_of_ones_own_and_a_class_of_the_batch(desk):
    put(desk, AHEAD + 1)
    item, *_ = items_of(desk.queue("ann"))
    for person, what, label, reason in [
        ("bob", item_id("b", f"p{AHEAD}"), "harmful", "this text is not yours"),
        ("ann", "forged", "harmful", "this text is not yours"),
        ("ann", item, "no class", "there is no such class"),
    ]:
        answer = desk.vote(person, what, label)
        assert (answer.accepted, answer.reason, answer.suggestion) == (False, reason, None)
    assert desk.vote("ann", item, "harmful").accepted
    again = desk.vote("ann", item, "harmless")
    assert (again.accepted, again.reason) == (False, "you have labelled this text already")


def test_a_vote_sent_twice_is_one_vote_also_after_others_have_come(desk):
    put(desk, 3, suggestion="unclear")
    [first, second, _] = items_of(desk.queue("ann"))
    for _ in range(3):
        answer = desk.vote("ann", first, "harmful", event="click-1")
        assert (answer.accepted, answer.suggestion) == (True, "unclear")
    assert desk.vote("ann", second, "harmless", event="click-2").accepted
    assert desk.vote("ann", first, "harmful", event="click-1").accepted
    assert answer.progress["done"] == 1
    assert [e.kind for e in desk.log.since(0)].count("vote") == 2


def test_the_id_of_another_vote_is_not_accepted(desk):
    put(desk, 3)
    [first, second, _], _ = items_of(desk.queue("ann")), desk.queue("bob")
    assert desk.vote("ann", first, "harmful", event="click-1").accepted
    for answer in (
        desk.vote("bob", first, "harmful", event="click-1"),
        desk.vote("ann", second, "harmful", event="click-1"),
        desk.vote("ann", first, "harmless", event="click-1"),
        desk.skip("ann", first, event="click-1"),
        desk.comment("ann", first, "text", event="click-1"),
        desk.undo("ann", event="click-1"),
        desk.settle("ann", first, "harmful", event="click-1"),
    ):
        assert (answer.accepted, answer.reason) == (False, "this was sent before, for something else")
    for unreadable in ("x" * 37, "\ud800", "a b", "ü"):
        assert "unreadable" in desk.vote("bob", first, "harmful", event=unreadable).reason
    assert [e.kind for e in desk.log.since(0)].count("vote") == 1


def test_undo_after_undo_goes_back_step_by_step(desk):
    put(desk, 3)
    one, two, three = items_of(desk.queue("ann"))
    desk.vote("ann", one, "harmful")
    desk.skip("ann", two)
    desk.flag("ann", three)
    for item in (three, two, one):
        answer = desk.undo("ann")
        assert answer.accepted
        assert (answer.item, answer.queue[0]["item"]) == (item, item)
    assert items_of(answer) == [one, two, three]
    assert desk.undo("ann").reason == "there is nothing to take back"
    with desk.state() as state:
        assert not any(item.votes or item.flags for item in state.items.values())
    assert desk.vote("ann", one, "harmless").accepted


def test_an_undo_sent_twice_is_one(desk):
    put(desk, 2)
    for item in items_of(desk.queue("ann")):
        desk.vote("ann", item, "harmful")
    assert desk.undo("ann", event="u1").accepted
    assert desk.undo("ann", event="u1").progress["done"] == 1


def test_an_undo_takes_back_what_is_meant_or_nothing(desk):
    put(desk, 3)
    first, second, _ = items_of(desk.queue("ann"))
    assert desk.vote("ann", first, "harmful", event="v1").accepted
    assert not desk.vote("ann", second, "no class", event="v2").accepted
    for of in ("v2", "another tab's"):
        answer = desk.undo("ann", of=of)
        assert (answer.accepted, answer.progress["done"]) == (False, 1)
        assert "was not counted, or is not your last" in answer.reason
    assert desk.vote("ann", second, "harmless", event="v3").accepted
    assert not desk.undo("ann", of="v1").accepted
    for _ in range(2):
        assert desk.undo("ann", of="v3", event="u1").progress["done"] == 1
    assert desk.undo("ann", of="v1", event="u1").reason == "this was sent before, for something else"
    assert desk.undo("ann", of="v1").progress["done"] == 0


def test_a_vote_may_be_taken_back_until_its_label_is_in_use(desk):
    put(desk, 2)
    for name in ("ann", "bob"):
        for item in items_of(desk.queue(name)):
            desk.vote(name, item, "harmful" if name == "ann" or item == item_id("b", "p0") else "harmless")
    [dispute] = desk.disputes("eve")
    assert desk.settle("eve", dispute.id, "unclear").accepted
    assert desk.undo("ann").reason == "your last label is in use already"
    assert len(desk.take("b")) == 2
    assert desk.undo("bob").reason == "your last label is in use already"


def test_a_skip_taken_back_does_not_take_the_item_from_others(desk):
    put(desk, AHEAD + 1)
    item = desk.queue("ann").queue[0]["item"]
    assert item not in items_of(desk.skip("ann", item))
    assert items_of(desk.queue("bob"))[0] == items_of(desk.queue("eve"))[0] == item
    back = desk.undo("ann")
    assert back.accepted
    assert item not in items_of(back)
    assert desk.vote("ann", item, "harmful").reason == "it was kept for you too long, and others have labelled it"


def test_what_was_skipped_comes_last(desk):
    put(desk, 5)
    first = items_of(desk.queue("ann"))[0]
    desk.skip("ann", first)
    seen = []
    while queue := items_of(desk.queue("ann")):
        seen.append(queue[0])
        desk.vote("ann", queue[0], "harmful")
    assert len(seen) == 5
    assert seen[-1] == first


def test_what_is_on_the_screen_stays_there(desk, clock):
    put(desk, 3)
    held = items_of(desk.queue("ann"))
    put(desk, 3, "later")
    for item in held[:2]:
        clock.now += 10
        rest = items_of(desk.vote("ann", item, "harmful"))
        assert rest[0] == held[held.index(item) + 1]


def test_a_flagged_item_waits_for_an_adjudicator_who_may_leave_it_out(desk):
    put(desk, 1)
    [item] = items_of(desk.queue("ann"))
    desk.queue("bob")
    assert desk.comment("ann", item, "look \0 here").accepted
    assert desk.flag("ann", item).accepted
    assert desk.vote("ann", item, "harmful").reason == "you have labelled this text already"
    [waits] = desk.disputes("eve")
    assert waits.comments == [("ann", "look  here")]
    desk.vote("bob", item, "harmful")
    assert desk.disputes("bob") == []
    assert desk.settle("bob", item, None).reason == "this text does not wait for you"
    assert desk.settle("eve", item, "no class").reason == "there is no such class"
    assert desk.settle("eve", item, None, event="s1").accepted
    assert desk.settle("eve", item, None, event="s1").accepted
    assert desk.settle("eve", item, "harmful").reason == "this text does not wait for you"
    assert desk.take("b")[0][1].label is None


def test_a_comment_is_cut_and_only_for_ones_own_items(desk):
    put(desk, AHEAD + 1)
    item, *_ = items_of(desk.queue("ann"))
    assert desk.comment("bob", item_id("b", f"p{AHEAD}"), "mine?").reason == "this text is not yours"
    assert desk.comment("ann", item, "x" * 10_000, event="c1").accepted
    assert desk.comment("ann", item, "x" * 10_000, event="c1").accepted
    with desk.state() as state:
        assert [len(text) for _, text in state.items[item].comments] == [LONGEST_COMMENT]


def test_classes_that_somebody_declined_go_to_others(desk):
    put(desk, 2, suggestion="harmful")
    put(desk, 1, "other", suggestion="harmless")
    desk.queue("ann")
    answer = desk.decline("ann", ["harmful", "of nobody", {"no": "name"}])
    assert items_of(answer) == [item_id("other", "p0")]
    assert answer.declined == desk.queue("ann").declined == ["harmful"]
    assert len(items_of(desk.queue("bob"))) == 3
    assert len(items_of(desk.decline("ann", []))) == 3
    assert "of nobody" not in str([e.data for e in desk.log.since(0)])


@pytest.mark.parametrize(("wrong", "admitted"), [(3, True), (4, False)])
def test_the_qualification_round_comes_first_and_decides(desk, wrong, admitted):
    put(desk, 2)
    put(desk, 10, "qualify", "qualify", known="harmful")
    for number in range(10):
        assert desk.queue("ann").queue[0]["item"] in {item_id("qualify", f"p{i}") for i in range(10)}
        answer = vote_next(desk, "ann", "harmless" if number < wrong else "harmful")
    assert bool(answer.queue) == admitted
    assert answer.progress.get("open_for") == (None if admitted else "unqualified")
    assert desk.undo("ann").reason == "the qualification round is over"
    assert desk.disputes("eve") == []


def test_known_items_may_be_skipped_but_neither_flagged_away_nor_asked_twice(desk):
    put(desk, 1)
    put(desk, 2, "qualify", "qualify", known="harmful")
    first, second = items_of(desk.queue("ann"))
    assert items_of(desk.skip("ann", first)) == [second, first]
    desk.flag("ann", second)
    assert desk.flag("ann", first).progress["open_for"] == "unqualified"


@pytest.mark.parametrize("every", [1, 3, 10])
def test_a_calibration_item_comes_after_every_so_many_votes(desk, every):
    desk.start(Settings(calibrate_every=every))
    put(desk, 25)
    put(desk, 4, "calibrate", "calibrate", known="harmful")
    known = {item_id("calibrate", f"p{i}") for i in range(4)}
    seen = []
    while queue := items_of(desk.queue("ann")):
        seen.append(queue[0] in known)
        desk.vote("ann", queue[0], "harmful")
        if len(seen) % 4 == 0:  # taking a vote back changes no position
            desk.undo("ann")
            assert items_of(desk.queue("ann"))[0] == queue[0]
            desk.vote("ann", queue[0], "harmless")
    expected = [place for place, calibrates in enumerate(seen) if calibrates]
    assert expected == [every + (every + 1) * i for i in range(4) if every * (i + 1) < 25]
    assert desk.agreement().items == 0


def test_seconds_are_what_can_be_true(desk, clock):
    put(desk, 3)
    said = {}
    for seconds in (float("nan"), -5.0, 1e9):
        item = desk.queue("ann").queue[0]["item"]
        clock.now += 7
        desk.vote("ann", item, "harmful", seconds=seconds)
        with desk.state() as state:
            said[str(seconds)] = state.items[item].votes["ann"].seconds
    assert said == {"nan": 0.0, "-5.0": 0.0, "1000000000.0": 21.0}


def test_a_suggestion_seen_before_is_recorded(desk):
    put(desk, 1, suggestion="harmful")
    vote_next(desk, "ann", "harmless")
    desk.undo("ann")
    vote_next(desk, "ann", "harmful")
    assert [e.data["seen"] for e in desk.log.since(0) if e.kind == "vote"] == [False, True]


def test_a_name_is_the_first_browsers_until_it_is_forgotten(url):
    desk, other = Desk(Log(url)), Desk(Log(url))
    assert desk.bind("ann", "browser 1")
    assert desk.bind("ann", "browser 1")
    assert not other.bind("ann", "browser 2")
    assert other.forget("ann")
    assert not other.forget("ann")
    assert not desk.forget("nobody")
    assert other.bind("ann", "browser 2")
    assert not desk.bind("ann", "browser 1")
    assert (desk.browser_of("ann"), other.browser_of("bob")) == ("browser 2", None)
    other.forget("ann")
    assert desk.browser_of("ann") is None


def test_who_reads_ends_no_turn_that_others_share(url):
    """A page's request reads who asks before it acts; with a commit for each, many at once wait for the disk."""
    desk = Desk(Log(url))
    put(desk, 40)
    turn, commits = desk.log.turn, []

    @contextmanager
    def counted():
        with turn() as held:
            yield held
            time.sleep(0.03)
        commits.append(held)

    desk.log.turn = counted

    def ask(name: str) -> None:
        desk.browser_of(name)
        assert desk.decline(name, [NAMES[0]]).declined == [NAMES[0]]
        desk.browser_of(name)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(ask, [f"person {i}" for i in range(40)]))
    assert len(commits) < 20


def test_who_reads_sees_nothing_that_is_not_in_the_log(desk):
    with desk.turn() as hand, ThreadPoolExecutor(1) as pool:
        hand.do("bind", None, "ann", browser="browser 1")
        assert pool.submit(desk.browser_of, "ann").result(5) is None  # and it does not wait for the turn to end
    assert desk.browser_of("ann") == "browser 1"


def test_two_servers_at_one_store_give_out_an_item_once(url):
    one, two = Desk(Log(url)), Desk(Log(url))
    one.start(Settings(votes=1))
    put(one, 2 * AHEAD)
    ann, bob = items_of(one.queue("ann")), items_of(two.queue("bob"))
    assert not set(ann) & set(bob)
    assert two.vote("ann", ann[0], "harmful").accepted
    assert one.vote("ann", ann[0], "harmful").reason == "you have labelled this text already"
    assert one.queue("ann").progress["decided"] == two.queue("bob").progress["decided"] == 1


def test_a_commit_that_fails_leaves_no_trace_in_memory(desk):
    put(desk, 1)
    [item] = items_of(desk.queue("ann"))

    def fails() -> None:
        with desk.turn() as hand:
            hand.do("vote", item, "ann", label="harmful", seconds=0.0)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fails()
    with desk.state() as state:
        assert not state.items[item].votes
    assert desk.vote("ann", item, "harmless").accepted


def test_adding_twice_changes_nothing_and_more_can_be_added(desk):
    put(desk, 2)
    before = len(desk.log.since(0))
    put(desk, 2)
    assert len(desk.log.since(0)) == before
    put(desk, 3)
    assert len(desk.log.since(0)) == before + 1


def test_what_is_shown_of_classes_and_what_is_no_text(desk):
    desk.add("b", NAMES, [{"row": "1", "text": "a\0b\ud800c"}], about={"harmful": {"definition": "d", "example": "e"}})
    assert desk.queue("ann").queue == [{"item": item_id("b", "1"), "text": "ab�c", "names": NAMES}]
    assert desk.queue("ann").about == {"harmful": {"definition": "d", "example": "e"}, "harmless": {}, "unclear": {}}
    with desk.state() as state:
        assert state.cleaned == {"nul": 1, "surrogates": 1}
    assert clean("💡 all text") == ("💡 all text", {})


def test_a_batch_is_taken_when_all_of_it_is_decided_and_then_stays_as_it_was(desk):
    assert desk.take("unknown") is None
    desk.start(Settings(votes=1))
    put(desk, 2)
    vote_next(desk, "ann", "harmful")
    assert desk.take("b") is None
    assert [decision.label for decision in desk.decisions("b")] == ["harmful"]
    vote_next(desk, "ann", "harmless")
    taken = [(item.row, decision.label) for item, decision in desk.take("b")]
    assert taken == [("p0", "harmful"), ("p1", "harmless")]
    desk.start(Settings(votes=3))  # of which nothing here has so many
    assert [(item.row, decision.label) for item, decision in desk.take("b")] == taken
    assert [(i.row, d.label) for i, d in Desk(desk.log).take("b")] == taken
    assert [event.kind for event in desk.log.since(0)].count("taken") == 1
    assert desk.queue("bob").progress == {"done": 0, "left": 0, "decided": 0, "total": 0, "open_for": "nothing"}


def test_aliases_follow_the_first_votes_and_are_kept(desk):
    put(desk, 2)
    for name in ("zoe", "ann"):
        desk.queue(name)
    vote_next(desk, "ann", "harmful")
    vote_next(desk, "zoe", "harmful")
    desk.undo("ann")
    with desk.state() as state:
        assert {name: person.alias for name, person in state.people.items()} == {"ann": "A1", "zoe": "A2"}


def test_events_of_a_kind_that_is_not_known_are_passed_over(desk, clock):
    put(desk, 1)
    with desk.log.turn() as turn:
        turn.append(Event("of-the-future", "no item", "nobody", {"x": 1}))
    assert len(items_of(Desk(Log(desk.log.url, clock=Clock())).queue("ann"))) == 1
