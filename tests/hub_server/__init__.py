"""
A Hugging Face Hub for tests: a server over HTTP that huggingface_hub, datasets and transformers talk to unchanged.

    python -m hub_server --port 8123 --root hub-data      # with `tests` on PYTHONPATH

In a test, ask for `hub` (clients in processes of their own) or `fresh_hub` (an empty one, for this process's clients
too); both are a `Hub`. It behaves as the real one where a client can tell: who sees what, parents of commits, cards,
gates, tags, large files. It offers no Xet, so its clients run with `HF_HUB_DISABLE_XET=1`, as `Hub.environment` says.
"""

from hub_server.server import TOKENS, Hub, serving
from hub_server.state import User

__all__ = ["TOKENS", "Hub", "User", "serving"]
