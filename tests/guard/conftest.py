"""Guards are certified without ONNX here, unless a test asks for it: an export takes seconds."""

import sys

import pytest


@pytest.fixture
def with_onnx():
    """Leaves the extra as it is installed."""


@pytest.fixture(autouse=True)
def without_onnx(request, monkeypatch):
    """As if the extra were not installed."""
    if "with_onnx" not in request.fixturenames and request.path.name != "test_backends.py":
        monkeypatch.setitem(sys.modules, "onnxscript", None)
