"""What `--dry-run` does instead of a push: it shows every file and the whole card."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from rarecase.core.progress import say
from rarecase.hub.commit import Build, Kind, Pushed, Target, base_snapshot, refuse_bad_card, require_public_is_meant


@dataclass(frozen=True)
class PlannedPush:
    """The files a repository would have, with their sizes in bytes (null: it would be deleted), and the card."""

    kind: Kind
    repo_id: str
    url: str
    private: bool
    files: dict[str, int | None]
    card: str

    def __str__(self) -> str:
        visibility = "private" if self.private else "public"
        files = [f"{'deleted' if size is None else f'{size:,}':>14}  {path}" for path, size in self.files.items()]
        head = f"{self.kind} {self.repo_id}, {visibility}: {len(files)} files (bytes)"
        return "\n".join([head, *files, "", "README.md:", "", self.card])


@dataclass
class Plan:
    """A `Push` that changes nothing and notes what would be pushed; the Hub sees names, and the heads of cards."""

    pushes: list[PlannedPush] = field(default_factory=list)

    def __call__(self, target: Target, build: Build, message: str) -> Pushed:
        """Notes the content that the repository would have; the `revision` of the result is that of now, or `main`."""
        snapshot = base_snapshot(target)
        require_public_is_meant(snapshot)
        files = dict(sorted(build(snapshot).items()))
        if snapshot.is_known:
            refuse_bad_card(target, files)
        else:
            say(f"warning: {target.repo_id}: no Hub is within reach; shown as a new repository, its card unchecked")
        private = snapshot.private and not target.public
        sizes = {path: None if content is None else _size(content) for path, content in files.items()}
        card = cast(bytes, files["README.md"]).decode()  # a card is always made, never a file on this machine
        self.pushes.append(PlannedPush(target.kind, target.repo_id, target.url, private, sizes, card))
        paths = tuple(path for path, size in sizes.items() if size is not None)
        return Pushed(target.kind, target.repo_id, snapshot.sha or "main", target.url, private, paths, changed=False)


def _size(content: bytes | Path) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size
