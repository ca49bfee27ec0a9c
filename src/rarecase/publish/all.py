"""
A data set, its models and the demo Space, which name each other.

The data set goes first, its commit is in the `model-index` of each model, and both are in the Space.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rarecase.core.errors import ConfigError
from rarecase.hub.commit import Push, Pushed, Target, push
from rarecase.publish.dataset import publish_dataset, read_release
from rarecase.publish.demo import push_demo, require_not_shown, why_closed
from rarecase.publish.model import own_files, publish_model
from rarecase.publish.references import DatasetRef, measured_on
from rarecase.runs.folder import model_folder


def publish_all(
    folder: Path,
    target: Target,
    license: str,
    *,
    models: Sequence[Path] = (),
    accept_no_license: bool = False,
    about: Mapping[str, str | None] | None = None,
    send: Push = push,
) -> list[Pushed]:
    """
    Publishes a data set as `OWNER/NAME`, models as `OWNER/NAME-FOLDER`, and the Space `OWNER/NAME-demo`.

    `target` is that of the data set; the others get its visibility, branch and tag. The Space of a data set that not
    everybody may read stays private. The first model answers in the Space. Nothing is published where a folder has
    no model, or one that was measured on another test set.
    """
    names = [path.resolve().name for path in models]
    if len({*names, "demo"}) < len(names) + 1:
        raise ConfigError(
            f"--model {', --model '.join(map(str, models))}: expected folders of different names other than 'demo', "
            "since each becomes a repository"
        )
    if target.create_pr and target.public:
        raise ConfigError("--public with --create-pr: some of these may be private; publish them one by one")
    local = read_release(folder)
    for path in models:
        own_files(model_folder(path))  # what cannot be published is known before anything is
    tests = {name: local.folder / paths["test"] for name, paths in local.paths.items() if "test" in paths}
    default = local.release.default
    configs = [measured_on(path, default, tests, str(local.folder)) for path in models]
    space = replace(target, kind="space", repo_id=f"{target.repo_id}-demo", gated=None)
    require_not_shown(space, target.repo_id, why_closed(target))
    data = publish_dataset(folder, target, license, accept_no_license=accept_no_license, about=about, send=send)
    done = [data]
    for path, name, config in zip(models, names, configs, strict=True):
        there = replace(target, kind="model", repo_id=f"{target.repo_id}-{name}")
        dataset = DatasetRef(target.repo_id, config, data.revision)
        done.append(publish_model(path, there, license, dataset=dataset, send=send))
    model = f"{done[1].repo_id}@{done[1].revision}" if models else None
    space = replace(space, public=target.public and not why_closed(target))
    return [*done, push_demo(folder, space, DatasetRef(target.repo_id, default, data.revision), model, send)]
