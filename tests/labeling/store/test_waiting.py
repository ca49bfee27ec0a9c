"""Whom a flagged text still goes to."""

from labelling import NAMES, items_of, put

from rarecase.labeling.store.hand import AHEAD
from rarecase.labeling.store.state import Settings


def test_a_flagged_text_goes_to_nobody_else(desk):
    put(desk, AHEAD + 1)
    flagged, *rest = items_of(desk.queue("ann"))
    assert desk.flag("ann", flagged).accepted
    bob = desk.queue("bob")
    assert items_of(bob)[: AHEAD - 1] == rest
    assert flagged not in items_of(bob)
    assert bob.progress["left"] == AHEAD
    assert [item.id for item in desk.disputes("bob")] == [flagged]


def test_who_has_a_flagged_text_on_the_screen_may_still_label_it_in_time(desk, clock):
    put(desk, 1)
    [item] = items_of(desk.queue("ann"))
    assert items_of(desk.queue("bob")) == [item]
    assert desk.flag("ann", item).queue == []
    assert items_of(desk.queue("bob")) == [item]
    clock.now += 601
    assert items_of(desk.queue("bob")) == []
    assert desk.vote("bob", item, NAMES[0]).accepted  # it was on its way
    assert [found.id for found in desk.disputes("eve")] == [item]


def test_a_flag_that_is_taken_back_gives_the_text_to_others_again(desk):
    desk.start(Settings(votes=1))
    put(desk, 1)
    [item] = items_of(desk.queue("ann"))
    desk.flag("ann", item)
    assert desk.queue("bob").queue == []
    assert items_of(desk.undo("ann")) == [item]
    assert desk.disputes("eve") == []


def test_flagged_texts_do_not_keep_others_waiting(desk):
    put(desk, 3 * AHEAD)
    for item in items_of(desk.queue("ann")):
        desk.flag("ann", item)
    assert len(items_of(desk.queue("bob"))) == AHEAD
    assert not {item.id for item in desk.disputes("eve")} & {*items_of(desk.queue("bob"))}
