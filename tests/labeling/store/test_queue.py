"""Who gets which text, for how long, and in which order."""

import pytest
from voting import NAMES, items_of, put, vote_next

from rarecase.labeling.store.events import EventLog
from rarecase.labeling.store.service import LabelService, item_id
from rarecase.labeling.store.settings import Settings
from rarecase.labeling.store.transaction import QUEUE_LENGTH


def test_an_item_is_leased_to_as_many_as_it_needs_and_no_more(service):
    put(service, 2 * QUEUE_LENGTH)
    ann, bob, eve = (items_of(service.queue(name)) for name in ("ann", "bob", "eve"))
    assert ann == bob
    assert not set(ann) & set(eve)
    assert items_of(service.queue("ann")) == ann


def test_a_lease_ends_and_the_item_goes_to_others(service, clock):
    put(service, QUEUE_LENGTH)
    ann, _ = items_of(service.queue("ann")), service.queue("bob")
    assert items_of(service.queue("eve")) == []
    clock.now += 601
    assert items_of(service.queue("eve")) == ann
    assert items_of(service.queue("fay")) == ann
    late = service.vote("ann", ann[0], NAMES[0])
    assert (late.accepted, late.reason) == (False, "your reservation expired, and others have labelled this text")
    assert service.vote("eve", ann[0], NAMES[0]).accepted


def test_a_clock_that_is_set_back_locks_no_text(service, clock):
    service.start(Settings(votes=1))
    put(service, 3)
    first = items_of(service.queue("ann"))
    clock.now -= 500_000
    assert items_of(service.queue("bob")) == first
    assert items_of(service.queue("ann")) == []
    assert service.vote("bob", first[0], NAMES[0], seconds=3.0).accepted
    (cast,) = [event for event in service.log.since(0) if event.kind == "vote"]
    assert cast.data["seconds"] >= 0
    clock.now += 601
    assert items_of(service.queue("ann")) == first[1:]
    clock.now -= 500_000
    assert items_of(service.queue("ann")) == first[1:]  # for one lease from now, and no longer
    assert items_of(service.queue("bob")) == []
    clock.now += 601
    assert items_of(service.queue("bob")) == first[1:]


def test_a_page_that_nobody_sits_at_holds_nothing_for_longer_than_a_lease(service, clock):
    service.start(Settings(votes=1))
    put(service, 2 * QUEUE_LENGTH + 1)
    ann = items_of(service.queue("ann"))
    assert service.vote("ann", ann[0], NAMES[0]).accepted
    clock.now += 300
    assert items_of(service.queue("bob")) == [
        item_id("b", f"p{i}") for i in range(QUEUE_LENGTH + 1, 2 * QUEUE_LENGTH + 1)
    ]
    for _ in range(21):  # the page asks by itself every 15 seconds
        clock.now += 15
        shown = items_of(service.queue("ann"))
    assert shown == [*ann[1:], item_id("b", f"p{QUEUE_LENGTH}")]  # it still shows what was on it
    assert items_of(service.queue("eve")) == shown
    assert items_of(service.queue("ann")) == []
    for item in shown:
        assert service.vote("eve", item, NAMES[0]).accepted


def test_who_does_something_keeps_what_is_on_the_screen(service, clock):
    service.start(Settings(votes=1))
    put(service, 3 * QUEUE_LENGTH)
    held = items_of(service.queue("ann"))
    for item in held:
        clock.now += 400
        assert held[-1] in items_of(service.queue("ann"))
        assert held[-1] not in items_of(service.queue("bob"))
        assert service.vote("ann", item, NAMES[0]).accepted


def test_who_comes_back_votes_on_what_is_there_and_is_given_more(service, clock):
    service.start(Settings(votes=1))
    put(service, 2 * QUEUE_LENGTH)
    service.queue("ann")
    clock.now += 5_000
    shown = items_of(service.queue("ann"))
    clock.now += 10
    assert items_of(service.vote("ann", shown[0], NAMES[0]))[: QUEUE_LENGTH - 1] == shown[1:]
    assert not set(items_of(service.queue("bob"))) & set(items_of(service.queue("ann")))


def test_a_vote_on_its_way_counts_where_a_lost_disk_took_the_lease(tmp_path, clock):
    """Leases are not on the Hub: the page sends what it was given by a server that is no longer there."""
    before, after = (
        LabelService(EventLog(str(tmp_path / f"{name}.sqlite"), clock=clock)) for name in ("before", "after")
    )
    for service in (before, after):
        put(service, QUEUE_LENGTH + 1)
    *_, item = items_of(before.queue("ann"))
    clock.now += 100
    assert after.vote("ann", item, NAMES[0], seconds=40.0, event="click-1").accepted
    assert after.comment("ann", item, "on its way").accepted
    with after.state() as state:
        assert state.items[item].votes["ann"].seconds == 40.0
        assert state.items[item].comments == [("ann", "on its way")]
    beyond = after.flag("bob", item_id("b", f"p{QUEUE_LENGTH}"))
    assert beyond.reason == "this text is not yours"  # what they would not be given now


def test_a_late_vote_counts_where_nobody_else_has_the_item(service, clock):
    put(service, 1)
    [item] = items_of(service.queue("ann"))
    clock.now += 5_000
    assert service.vote("ann", item, NAMES[0]).accepted


def test_what_was_skipped_comes_last(service):
    put(service, 5)
    first = items_of(service.queue("ann"))[0]
    service.skip("ann", first)
    seen = []
    while queue := items_of(service.queue("ann")):
        seen.append(queue[0])
        service.vote("ann", queue[0], "harmful")
    assert len(seen) == 5
    assert seen[-1] == first


def test_what_is_on_the_screen_stays_there(service, clock):
    put(service, 3)
    held = items_of(service.queue("ann"))
    put(service, 3, "later")
    for item in held[:2]:
        clock.now += 10
        rest = items_of(service.vote("ann", item, "harmful"))
        assert rest[0] == held[held.index(item) + 1]


def test_classes_that_somebody_declined_go_to_others(service):
    put(service, 2, suggestion="harmful")
    put(service, 1, "other", suggestion="harmless")
    service.queue("ann")
    answer = service.decline("ann", ["harmful", "of nobody", {"no": "name"}])
    assert items_of(answer) == [item_id("other", "p0")]
    assert answer.declined == service.queue("ann").declined == ["harmful"]
    assert len(items_of(service.queue("bob"))) == 3
    assert len(items_of(service.decline("ann", []))) == 3
    assert "of nobody" not in str([e.data for e in service.log.since(0)])


@pytest.mark.parametrize(("wrong", "admitted"), [(3, True), (4, False)])
def test_the_qualification_round_comes_first_and_decides(service, wrong, admitted):
    put(service, 2)
    put(service, 10, "qualify", "qualify", known="harmful")
    for number in range(10):
        asked = service.queue("ann")
        assert asked.queue[0]["item"] in {item_id("qualify", f"p{i}") for i in range(10)}
        assert asked.progress["qualifying"]
        answer = vote_next(service, "ann", "harmless" if number < wrong else "harmful")
    assert bool(answer.queue) == admitted
    assert "qualifying" not in answer.progress
    assert answer.progress.get("open_for") == (None if admitted else "unqualified")
    assert service.undo("ann").reason == "the qualification round is over"
    assert service.to_review("eve") == []


def test_known_items_may_be_skipped_but_neither_flagged_away_nor_asked_twice(service):
    put(service, 1)
    put(service, 2, "qualify", "qualify", known="harmful")
    first, second = items_of(service.queue("ann"))
    assert items_of(service.skip("ann", first)) == [second, first]
    service.flag("ann", second)
    assert service.flag("ann", first).progress["open_for"] == "unqualified"


@pytest.mark.parametrize("every", [1, 3, 10])
def test_a_calibration_item_comes_after_every_so_many_votes(service, every):
    service.start(Settings(calibrate_every=every))
    put(service, 25)
    put(service, 4, "calibrate", "calibrate", known="harmful")
    known = {item_id("calibrate", f"p{i}") for i in range(4)}
    seen = []
    while queue := items_of(service.queue("ann")):
        seen.append(queue[0] in known)
        service.vote("ann", queue[0], "harmful")
        if len(seen) % 4 == 0:  # taking a vote back changes no position
            service.undo("ann")
            assert items_of(service.queue("ann"))[0] == queue[0]
            service.vote("ann", queue[0], "harmless")
    expected = [place for place, calibrates in enumerate(seen) if calibrates]
    assert expected == [every + (every + 1) * i for i in range(4) if every * (i + 1) < 25]
    assert service.agreement().items == 0


def test_two_servers_at_one_store_give_out_an_item_once(url):
    one, two = LabelService(EventLog(url)), LabelService(EventLog(url))
    one.start(Settings(votes=1))
    put(one, 2 * QUEUE_LENGTH)
    ann, bob = items_of(one.queue("ann")), items_of(two.queue("bob"))
    assert not set(ann) & set(bob)
    assert two.vote("ann", ann[0], "harmful").accepted
    assert one.vote("ann", ann[0], "harmful").reason == "you have labelled this text already"
    assert one.queue("ann").progress["decided"] == two.queue("bob").progress["decided"] == 1


def test_a_flagged_text_goes_to_nobody_else(service):
    put(service, QUEUE_LENGTH + 1)
    flagged, *rest = items_of(service.queue("ann"))
    assert service.flag("ann", flagged).accepted
    bob = service.queue("bob")
    assert items_of(bob)[: QUEUE_LENGTH - 1] == rest
    assert flagged not in items_of(bob)
    assert bob.progress["left"] == QUEUE_LENGTH
    assert [item.id for item in service.to_review("bob")] == [flagged]


def test_who_has_a_flagged_text_on_the_screen_may_still_label_it_in_time(service, clock):
    put(service, 1)
    [item] = items_of(service.queue("ann"))
    assert items_of(service.queue("bob")) == [item]
    assert service.flag("ann", item).queue == []
    assert items_of(service.queue("bob")) == [item]
    clock.now += 601
    assert items_of(service.queue("bob")) == []
    assert service.vote("bob", item, NAMES[0]).accepted  # it was on its way
    assert [found.id for found in service.to_review("eve")] == [item]


def test_a_flag_that_is_taken_back_gives_the_text_to_others_again(service):
    service.start(Settings(votes=1))
    put(service, 1)
    [item] = items_of(service.queue("ann"))
    service.flag("ann", item)
    assert service.queue("bob").queue == []
    assert items_of(service.undo("ann")) == [item]
    assert service.to_review("eve") == []


def test_flagged_texts_do_not_keep_others_waiting(service):
    put(service, 3 * QUEUE_LENGTH)
    for item in items_of(service.queue("ann")):
        service.flag("ann", item)
    assert len(items_of(service.queue("bob"))) == QUEUE_LENGTH
    assert not {item.id for item in service.to_review("eve")} & {*items_of(service.queue("bob"))}
