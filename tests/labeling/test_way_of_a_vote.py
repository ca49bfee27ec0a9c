"""The way of a vote from the page to the database, as `rarecase.labeling` describes it."""

import traceback

import labelers
import sqlalchemy as sa
from labelers import NAMES, Client, vote

import rarecase.labeling


def test_a_vote_crosses_at_most_five_modules_from_the_page_to_the_database(tmp_path):
    labelers.fill(tmp_path / "labels.sqlite", labelers.posts(1))
    inserts = []

    def note(connection, cursor, statement, *_):
        if statement.startswith("INSERT"):
            modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_stack(None)]
            inserts.append([name for name in dict.fromkeys(modules) if name.startswith("rarecase.")])

    with labelers.running(tmp_path / "labels.sqlite") as url:
        ann = Client(url, "ann")
        item = ann.say()["queue"][0]["item"]
        sa.event.listen(sa.Engine, "before_cursor_execute", note)
        try:
            assert ann.say(vote(item, NAMES[0]))["told"][0]["accepted"]
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", note)
    way = [name.removeprefix("rarecase.labeling.").replace(".", "/") + ".py" for name in reversed(inserts[0])]
    assert way == ["web/pages.py", "store/service.py", "store/transaction.py", "store/events.py"]
    numbered = [line for line in rarecase.labeling.__doc__.splitlines() if line[:1].isdigit()]
    assert [step for step in way if not any(step in line for line in numbered)] == []
    assert len(numbered) <= 5  # the last is where the server remembers it
