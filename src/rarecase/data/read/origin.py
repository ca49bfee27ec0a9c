"""
Where the texts of a data argument come from, as far as a release says it: what is published later says the same.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

from rarecase.data.read.argument import parse_argument
from rarecase.hub.ids import split_revision

FACTS = "release.json"


def origin(argument: str) -> dict[str, Any]:
    """
    What the release behind a data argument says of its source.

    Args:
        argument (`str`): `PATH_OR_HUB_ID[:CONFIG[/SPLIT]]`, one that has been read already.

    Returns:
        `dict`: `source` and `source_states_no_license`; empty where this is no release of ours.

    Example:
        >>> origin("safety:random")["source_states_no_license"]
        True
    """
    given = parse_argument(argument)
    facts = facts_of(given.source)
    config = facts.get("configs", {}).get(given.config or facts.get("default"), {})
    return {key: config[key] for key in ("source", "source_states_no_license") if config.get(key)}


def together(origins: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """
    The origin of texts that come from several places.

    Example:
        >>> together([{"source": "a forum"}, {"source": "an archive", "source_states_no_license": True}])
        {'source': 'a forum; an archive', 'source_states_no_license': True}
    """
    found = list(origins)
    sources = dict.fromkeys(one["source"] for one in found if one.get("source"))
    silent = any(one.get("source_states_no_license") for one in found)
    return {"source": "; ".join(sources) or None, "source_states_no_license": silent}


def facts_of(source: str) -> dict[str, Any]:
    """What a release says of itself in its release.json; empty where there is none."""
    if Path(source).exists():
        path = Path(source) / FACTS
        if not path.is_file():
            return {}
    else:
        repo_id, revision = split_revision(source)
        try:
            path = Path(hf_hub_download(repo_id, FACTS, repo_type="dataset", revision=revision))
        except (EntryNotFoundError, LocalEntryNotFoundError, HfHubHTTPError):
            return {}
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) and isinstance(facts.get("configs"), dict) else {}
