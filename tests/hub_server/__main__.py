"""`python -m hub_server`: the test Hub until it is interrupted."""

import argparse
import json
from pathlib import Path

import uvicorn

from hub_server.app import App
from hub_server.server import TOKENS, bound, configured
from hub_server.state import User


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8123, help="0 takes a free one")
    parser.add_argument(
        "--root", type=Path, required=True, help="files are kept in its subfolder blobs, emptied first"
    )
    parser.add_argument(
        "--users", type=Path, help='JSON: {"hf_token": {"name": "alice", "orgs": ["acme"], "role": "write"}}'
    )
    options = parser.parse_args()
    tokens = TOKENS
    if options.users:
        told = json.loads(options.users.read_text("utf-8"))
        tokens = {token: User(**{**user, "orgs": tuple(user.get("orgs", ()))}) for token, user in told.items()}
    held = bound(options.port)
    held.listen(128)  # who reads the address may connect at once
    print(f"http://127.0.0.1:{held.getsockname()[1]}", flush=True)
    uvicorn.Server(configured(App(options.root, tokens))).run(sockets=[held])


if __name__ == "__main__":
    main()
