"""Tools around models: export, repack and make-nemo. They may need PyTorch; the runtime never does."""

__version__ = "0.1.0"

import os

os.environ.setdefault(
    "ORT_DISABLE_TELEMETRY", "1"
)  # as parakeet_asr.engines does, before anything imports it
