"""What tests of a label store on the Hub share: its name, its texts, people who vote, and what has arrived."""

import json
from collections import Counter
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download

from rarecase.labeling.store.label_store import LabelStore
from rarecase.labeling.store.service import Row

REPO = "acme/labels"
URL = f"hf://datasets/{REPO}"
NAMES = ["harmful", "not-harmful"]
ROWS = [Row(f"p{number}", f"post {number}") for number in range(6)]


def vote(store: LabelStore, person: str = "ann", label: str = "harmful") -> str:
    """The id of a vote that was acknowledged."""
    item = store.service.queue(person).queue[0]["item"]
    event = f"{person}-{item}"
    assert store.service.vote(person, item, label, event=event).accepted
    return event


def on_hub() -> list[dict]:
    """All events that stand on the Hub, file by file."""
    repo = {"repo_id": REPO, "repo_type": "dataset"}
    paths = [path for path in HfApi().list_repo_files(**repo) if path.endswith(".jsonl")]
    lines = [line for path in paths for line in Path(hf_hub_download(filename=path, **repo)).read_text().splitlines()]
    return [json.loads(line) for line in lines]


def votes_on_hub() -> Counter[str]:
    return Counter(event["id"] for event in on_hub() if event["kind"] == "vote")


def known(store: LabelStore) -> dict[str, str]:
    """Event → label, of the votes that stand."""
    with store.service.state() as state:
        return {vote.event: vote.label for item in state.items.values() for vote in item.votes.values()}
