"""
Mutated files, replies and requests: nothing that strangers send ends in a traceback, hangs or takes the memory.

The libraries read these variables at import; `tests/conftest.py` has set them where pytest runs this.
"""

import os
import socket

PORT = socket.socket()  # kept, so that nobody else takes it; the server of `replies` shares it
PORT.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
PORT.bind(("127.0.0.1", 0))
for name, value in {
    "HF_ENDPOINT": f"http://127.0.0.1:{PORT.getsockname()[1]}",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
}.items():
    os.environ.setdefault(name, value)
