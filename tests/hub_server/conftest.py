"""What the tests of the Hub share: people who use it, and a way to say what a request was refused with."""

import contextlib
from collections.abc import Callable, Iterator

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError


@pytest.fixture
def alice(fresh_hub) -> HfApi:
    return HfApi(token="hf_alice")


@pytest.fixture
def carol(fresh_hub) -> HfApi:
    """Of the same organization as alice."""
    return HfApi(token="hf_carol")


@pytest.fixture
def bob(fresh_hub) -> HfApi:
    """A stranger."""
    return HfApi(token="hf_bob")


@pytest.fixture
def anybody(fresh_hub) -> HfApi:
    """Not signed in."""
    return HfApi(token=False)


@pytest.fixture
def put(alice: HfApi) -> Callable[..., str]:
    """Commits files to a repository, made if need be; gives the id of the commit."""

    def put(repo_id: str, files: dict[str, bytes], kind: str = "dataset", **options) -> str:
        from huggingface_hub import CommitOperationAdd

        alice.create_repo(repo_id, repo_type=kind, exist_ok=True, space_sdk="gradio" if kind == "space" else None)
        operations = [CommitOperationAdd(path, data) for path, data in files.items()]
        return alice.create_commit(repo_id, operations, repo_type=kind, commit_message="put", **options).oid

    return put


@pytest.fixture
def refused() -> Callable[[int], contextlib.AbstractContextManager]:
    """Expects the Hub to answer with this status."""

    @contextlib.contextmanager
    def refused(status: int, match: str = ".") -> Iterator[None]:
        with pytest.raises(HfHubHTTPError, match=match) as answer:
            yield
        assert answer.value.response.status_code == status

    return refused
