"""The classes of a release, as `release.json` has them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from rarecase.data.taxonomy import EARLIER_ACTIONS, Action, Category, Taxonomy


@dataclass(frozen=True)
class ReleaseClass:
    """A class, as the card explains it, and what a guard does with its texts; older releases do not say all of it."""

    name: str
    definition: str
    source: str
    action: str | None = None
    message: str = ""
    openai: str = ""

    @classmethod
    def of(cls, one: Category) -> "ReleaseClass":
        """That of a class of a taxonomy."""
        return cls(one.name, one.definition, one.source, one.action, one.message, one.openai)

    def with_action(self) -> "ReleaseClass":
        """With its action by today's name; where an older release has none, that of the shipped class that it is."""
        shipped = {(c.name, c.definition): c.action for c in Taxonomy.default().classes}
        action = self.action or shipped.get((self.name, self.definition))
        return replace(self, action=EARLIER_ACTIONS.get(action, action) if action else None)


def taxonomy_of_release(classes: Sequence[ReleaseClass]) -> Taxonomy:
    """The taxonomy, without examples and other names; the action of a class that has none goes by its name."""
    by_name = Taxonomy.from_names([one.name for one in classes]).classes
    actions = [cast(Action, one.action or other.action) for one, other in zip(classes, by_name, strict=True)]
    return Taxonomy(
        tuple(
            Category(one.name, one.definition, (), one.source, action, one.openai, (), one.message)
            for one, action in zip(classes, actions, strict=True)
        )
    )
