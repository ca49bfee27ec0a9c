"""Where the texts of a data argument come from, if it is a release: what is published later repeats it."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict, cast

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

from rarecase.data.read.argument import parse_argument
from rarecase.data.release import ALL, RELEASE, Release
from rarecase.hub.ids import split_revision


class Origin(TypedDict, total=False):
    """The source of texts, as `run.json` and a `Config` of a release have it; empty where it is unknown."""

    source: str | None
    source_states_no_license: bool


def origin(argument: str) -> Origin:
    """The origin of the texts of a data argument that has been read already; empty where it is no release of ours."""
    given = parse_argument(argument)
    release = release_of(str(given.source))
    if release is None:
        return {}
    name = given.config or release.default
    configs = release.configs.values() if name == ALL else filter(None, [release.configs.get(name)])
    stated = ((one.source, one.source_states_no_license) for one in configs)
    known = combined(Origin(source=source, source_states_no_license=silent) for source, silent in stated)
    return cast(Origin, {name: value for name, value in known.items() if value})


def combined(origins: Iterable[Origin]) -> Origin:
    """The origin of texts that come from several places."""
    found = list(origins)
    sources = dict.fromkeys(source for one in found if (source := one.get("source")))
    silent = any(one.get("source_states_no_license") for one in found)
    return {"source": "; ".join(sources) or None, "source_states_no_license": silent}


def release_of(source: str) -> Release | None:
    """The release.json of a folder or a data set on the Hub; None where there is none."""
    try:
        if os.path.exists(source):
            path = Path(source) / RELEASE
        else:
            repo_id, revision = split_revision(source)
            path = Path(hf_hub_download(repo_id, RELEASE, repo_type="dataset", revision=revision))
    except (EntryNotFoundError, LocalEntryNotFoundError, HfHubHTTPError):
        return None
    return Release.find(path)
