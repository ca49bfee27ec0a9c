"""What `--dry-run` does in place of a push: it shows every file and the whole card."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rarecase.hub.commit import Files, Pushed, Snapshot, Target, base_snapshot, require_public_is_meant


@dataclass
class Plan:
    """
    Stands in for `push` and changes nothing.

    Args:
        repos (`list[dict]`): of each repository `kind`, `repo_id`, `url`, `private`, `files` (path and bytes, or
            null where the file goes) and `card`.

    Example:
        >>> plan = Plan()
        >>> publish_dataset(Path("run"), target, "cc-by-4.0", send=plan)
        >>> print(plan)
    """

    repos: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, target: Target, build: Callable[[Snapshot], Files], message: str) -> Pushed:
        """Takes note of what would stand there; its `revision` is that of now, or `main`."""
        snapshot = base_snapshot(target)
        require_public_is_meant(snapshot)
        files = dict(sorted(build(snapshot).items()))
        card = files["README.md"]
        private, url = snapshot.private and not target.public, target.url
        self.repos.append(
            {
                "kind": target.kind,
                "repo_id": target.repo_id,
                "url": url,
                "private": private,
                "files": {path: _size(content) for path, content in files.items()},
                "card": card.read_text(encoding="utf-8") if isinstance(card, Path) else (card or b"").decode(),
            }
        )
        there = tuple(path for path, content in files.items() if content is not None)
        return Pushed(target.kind, target.repo_id, snapshot.sha or "main", url, private, there, changed=False)

    def __str__(self) -> str:
        """The plan for a terminal."""
        return "\n\n".join(_shown(planned) for planned in self.repos)


def _size(content: bytes | Path | None) -> int | None:
    if content is None:
        return None
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def _shown(planned: dict[str, Any]) -> str:
    seen = "private" if planned["private"] else "public"
    files = [f"{'deleted' if size is None else f'{size:,}':>14}  {path}" for path, size in planned["files"].items()]
    head = f"{planned['kind']} {planned['repo_id']}, {seen}: {len(files)} files (bytes)"
    return "\n".join([head, *files, "", "README.md:", "", planned["card"]])
