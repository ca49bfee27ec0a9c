"""The classes of a release, as `release.json` has them."""

from dataclasses import dataclass, replace

from rarecase.data.taxonomy import EARLIER_ACTIONS, Category, Taxonomy


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
