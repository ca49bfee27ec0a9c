"""From settings to who labels, and to the label store where that is people on a page."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from datasets import Dataset

from rarecase.core.errors import RunFolderError, command_line
from rarecase.core.processes import on_main
from rarecase.core.progress import say
from rarecase.data.parquet import read_parquet
from rarecase.data.taxonomy import Taxonomy
from rarecase.labeling.annotator import Annotator, OfMain
from rarecase.labeling.gold import gold_annotator
from rarecase.labeling.llm import SURE, LanguageModelAnnotator
from rarecase.labeling.people import people
from rarecase.labeling.spreadsheet import File
from rarecase.labeling.store.address import address_in, is_same_store, require_inside
from rarecase.labeling.store.label_store import open_store
from rarecase.llm.replies import Replies
from rarecase.runs.folder import AGREEMENT, RoundFiles
from rarecase.runs.generation import annotating_model_of
from rarecase.settings.config import RunConfig, StartConfig, read_config
from rarecase.verify.judge import Judge


@contextmanager
def annotator_of(
    folder: Path, config: RunConfig | StartConfig, taxonomy: Taxonomy, context: str
) -> Iterator[Annotator]:
    """Who labels in the folder of a run or a start, asked by the main process alone; `context` is that of `People`."""
    with ExitStack() as held:
        own: list[Annotator] = []

        def enter() -> OfMain:
            own.append(held.enter_context(_annotator_of(folder, config, taxonomy, context)))
            return OfMain(own[0].suggests, own[0].leaves_out)

        known = on_main(enter)
        yield own[0] if own else known


@contextmanager
def _annotator_of(
    folder: Path, config: RunConfig | StartConfig, taxonomy: Taxonomy, context: str
) -> Iterator[Annotator]:
    if isinstance(config, RunConfig) and config.annotator == "llm":
        by = replace(config, annotator=config.doubtful_to or "gold")
        with _annotator_of(folder, by, taxonomy, context) if config.doubtful_to else nullcontext() as asked:
            yield _language_model_of(folder, config, taxonomy, asked)
    elif config.annotator == "people":
        with people(folder, config.store, taxonomy, context) as annotator:
            yield annotator
    elif config.annotator == "gold":
        yield gold_annotator(read_parquet(folder / "gold.parquet"), taxonomy)
    else:
        path = folder / "to_label.csv"
        if isinstance(config, StartConfig):
            others = "; others by --classes or --taxonomy FILE beside --resume"
            yield File(path, taxonomy, command_line("start", "--resume", folder), ("set",), others)
        else:
            yield File(path, taxonomy, command_line("run", "--resume", folder))


def _language_model_of(
    folder: Path, config: RunConfig, taxonomy: Taxonomy, asked: Annotator | None
) -> LanguageModelAnnotator:
    """The annotator `llm`; the first time, says how far it agrees with the labels of the dev set, and writes it."""
    start = read_parquet(folder / "bootstrap.parquet")
    judge = judge_of(config, taxonomy, start, folder / "replies.sqlite")
    annotator = LanguageModelAnnotator(judge, start, asked, sure=SURE if config.sure is None else config.sure)
    if not (path := folder / AGREEMENT).exists():
        agreement = annotator.agreement(read_parquet(folder / "dev.parquet"))
        agreement.write(path)
        say(agreement.sentence())
        if warning := annotator.warning(agreement):
            say(warning)
    return annotator


def judge_of(config: RunConfig, taxonomy: Taxonomy, start: Dataset, replies: Path) -> Judge:
    """What the annotator `llm` asks, with the store of its replies."""
    return Judge(annotating_model_of(config, Replies(replies)), taxonomy, start, seed=config.seed)


def require_model(config: RunConfig) -> None:
    """Raises an error where the language model that is to label is missing, or does not answer."""
    if config.annotator == "llm":
        annotating_model_of(config, Replies("")).check()


def with_store_of_start(config: RunConfig) -> RunConfig:
    """
    The settings with the label store of the run: by default that of the start whose sets people have labelled, so that
    A1 is the same person in all that comes of it. Raises `ConfigError` where the start has its store elsewhere.
    """
    if config.by_people != "people" or config.store is not None or config.start is None:
        return config
    folder = Path(config.start)
    begun = read_config(folder, StartConfig)
    if begun.get("annotator") != "people":
        return config
    require_inside(folder, begun.get("store"))
    return replace(config, store=address_in(folder, begun.get("store")))


def require_store_of_labels(folder: Path, config: RunConfig) -> None:
    """Raises `RunFolderError` where the run has labels of another store."""
    if config.by_people != "people" or not RoundFiles(folder).numbers("labels.parquet"):
        return
    before = address_in(folder, read_config(folder, RunConfig).get("store"))
    now = address_in(folder, config.store)
    if not is_same_store(now, before):
        raise RunFolderError(
            f"{folder} has labels of another store than {now}, where A1 may be somebody else; go on with --store "
            f"{before}"
        )


def require_store(config: RunConfig | StartConfig) -> None:
    """Raises `ConfigError` where the label store of the settings cannot be opened."""
    if config.store is not None:
        open_store(config.store).close()
