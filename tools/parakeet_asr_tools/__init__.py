"""Tools around models: export, repack and make-nemo. They may need PyTorch; the runtime never does."""

__version__ = "0.1.0"

import os

# As parakeet_asr.engines does; here ONNX Runtime may be imported before that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
