"""Texts are taken back from people where other classes are wanted, unless somebody has labelled one of them."""

import pytest
from datasets import Dataset

from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.people import People
from rarecase.labeling.store.label_store import LabelStore, open_store


def test_a_vote_that_was_given_elsewhere_keeps_the_texts_from_being_withdrawn(tmp_path):
    chosen = Dataset.from_dict({"id": ["p-1", "p-2"], "text": ["one", "two"]})

    class Shared(LabelStore):
        def sync(self) -> None:
            while arriving:
                arriving.pop()()

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    def vote() -> None:
        assert service.vote("ann", service.queue("ann").queue[0]["item"], Taxonomy.default().names[0]).accepted

    opened, arriving = open_store(str(tmp_path / "labels.sqlite")), []
    service = opened.service
    asking = People(Shared(service, opened.files), "run 1", Taxonomy.default(), "", interrupted)
    with pytest.raises(KeyboardInterrupt):
        asking.annotate(chosen)
    arriving.append(vote)
    assert not asking.withdraw(chosen)
    service.undo("ann")
    assert asking.withdraw(chosen)
