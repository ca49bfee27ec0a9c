"""From settings to the generator of variations, and to the language models that it and an annotator ask."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from datasets import Dataset

from rarecase.core.errors import MissingColumnError, RarecaseError
from rarecase.data.read import Columns, read_argument
from rarecase.data.sets import Sets
from rarecase.data.taxonomy import Taxonomy
from rarecase.generate import Generator, NoVariations
from rarecase.generate.cheap import Cheap
from rarecase.generate.prompt import Prompt
from rarecase.generate.replay import Replay
from rarecase.generate.template import Template
from rarecase.generate.writer import Writer
from rarecase.hub.ids import name_of
from rarecase.llm import LanguageModel
from rarecase.llm.address import is_loopback
from rarecase.llm.budget import Limits
from rarecase.llm.endpoint import Endpoint
from rarecase.llm.local import Local
from rarecase.llm.replies import Replies, Request
from rarecase.settings.config import LoopConfig, RunConfig
from rarecase.verify.checks import Verifier
from rarecase.verify.judge import Judge, Questions


def generator_of(config: LoopConfig, taxonomy: Taxonomy, replies: Path, *, check: bool = False) -> Generator:
    """The generator, with the store of its replies; with `check`, once its model is known to answer."""
    if config.generator == "none" or config.variations == 0:
        return NoVariations()
    if config.generator == "replay":
        return replay_of(config)
    if config.generator == "cheap":
        return Cheap(seed=config.seed)
    model = _language_model_of(config, Replies(replies))
    writer = Writer(
        model,
        taxonomy,
        seed=config.seed,
        temperature=config.temperature,
        template=template_of(config),
        contrast_to=config.contrast_to,
    )
    if check:
        model.check()
    return writer


def generating_name(config: LoopConfig) -> str:
    """What the rows of the language model that writes variations call it."""
    name = config.generator_model or ""
    return name_of(name) if config.generator == "local" else name


def template_of(config: LoopConfig) -> str:
    """The name or the file of the template."""
    return config.template or "variation"


def stored_variations(config: LoopConfig, taxonomy: Taxonomy, replies: Replies, labels: Dataset) -> Dataset | None:
    """The variations of posts from stored replies alone; None where none of their requests has one."""
    either, k, seed = templates_of(config, taxonomy), config.variations, config.seed
    missing = [len(replies.missing(one.requests(labels, k, seed))) for one in either]
    chosen = either[missing.index(min(missing))]
    asked = chosen.requests(labels, k, seed)
    if asked and min(missing) == len(asked):
        return None
    return chosen.table(labels, k, seed, replies, chosen.model)


def possible_requests(config: LoopConfig, taxonomy: Taxonomy, replies: Replies, labels: Dataset) -> Iterator[Request]:
    """What may have been asked for variations of posts."""
    for template in templates_of(config, taxonomy):
        yield from template.requests(labels, config.variations, config.seed)
        yield from template.missing(labels, config.variations, config.seed, replies)


def templates_of(config: LoopConfig, taxonomy: Taxonomy) -> list[Template]:
    """Those with identifiers and without: a run may go on with a model on another machine, or on this one again."""
    template = Template(
        taxonomy, generating_name(config), config.temperature, Prompt.load(template_of(config)), config.contrast_to
    )
    return [template, replace(template, masks=True)]


def leaves_machine(config: LoopConfig) -> bool:
    """Whether the language model that writes variations is on another machine."""
    return config.generator == "openai" and not is_loopback(config.generator_url or "", config.send_to)


def judge_requests(config: LoopConfig, sets: Sets, variations: int) -> list[Request]:
    """The most that the judge asks: for its mean, and for each of so many variations, still without its text."""
    if not (config.judge and variations):
        return []
    name, masks = generating_name(config), leaves_machine(config)
    *others, one = Questions(name, sets.taxonomy, sets.bootstrap, masks=masks, seed=config.seed).requests([""])
    return [*others, *[one] * variations]


def _language_model_of(config: LoopConfig, replies: Replies) -> LanguageModel:
    name = config.generator_model or ""
    if config.generator == "local":
        return Local(name, replies=replies)
    return Endpoint(
        config.generator_url or "",
        name,
        replies=replies,
        seed=config.seed,
        concurrency=config.concurrency,
        send_to=config.send_to,
        limits=Limits(config.max_cost, config.max_tokens, config.max_requests),
        prices=config.prices,
    )


def annotating_model_of(config: RunConfig, replies: Replies) -> LanguageModel:
    """The language model that labels; by default the generator's, and else at an address, or in this process."""
    url, name = config.annotator_url or config.generator_url, config.annotator_model or config.generator_model
    asked = replace(config, generator="openai" if url else "local", generator_url=url, generator_model=name)
    own = {"url": config.annotator_url, "model": config.annotator_model}
    with _flags_of_annotator(own):
        return _Annotating(_language_model_of(asked, replies), own)


class _Annotating:
    """The language model that labels: the errors of one that has flags of its own name these."""

    def __init__(self, model: LanguageModel, own: Mapping[str, str | None]) -> None:
        self.name, self.replies, self.leaves_machine = model.name, model.replies, model.leaves_machine
        self._model, self._own = model, own

    def ask(self, requests: Iterable[Request]) -> None:
        with _flags_of_annotator(self._own):
            self._model.ask(requests)

    def check(self) -> None:
        with _flags_of_annotator(self._own):
            self._model.check()


@contextmanager
def _flags_of_annotator(own: Mapping[str, str | None]) -> Iterator[None]:
    try:
        yield
    except RarecaseError as error:
        message = str(error)
        for name in (name for name, value in own.items() if value is not None):
            message = message.replace(f"--generator-{name}", f"--annotator-{name}")
        raise type(error)(message) from None


def verifier_of(config: LoopConfig, sets: Sets, replies: Path) -> Verifier:
    """R, as the settings say; a judge is shown posts of the start set."""
    wording = Prompt.load(template_of(config)).wording if config.asks_a_model else ()
    judge = None
    if config.judge:
        model = _language_model_of(config, Replies(replies))
        judge = Judge(model, sets.taxonomy, sets.bootstrap, seed=config.seed)
    return Verifier(
        config.policy,
        judge,
        wording=(*sets.taxonomy.definitions, *wording),
        near_copies=config.generator != "cheap",  # which leaves most words as they are, as it is meant to
    )


def replay_of(config: LoopConfig) -> Replay:
    """The generator `replay`; its table may have the columns of the pool, or be a release, which has its own."""
    given = config.generator_data or ""

    def read(columns: Columns) -> Dataset:
        return read_argument(given, "variations", columns=columns, encoding=config.encoding, labeled=False)

    try:
        try:
            table = read(Columns(id=config.id_column, text=config.text_column))
        except MissingColumnError:
            table = read(Columns())
        return Replay(table)
    except MissingColumnError as error:
        raise MissingColumnError(f"--generator-data {given}: {error}; expected a table of variations") from None
