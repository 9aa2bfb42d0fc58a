"""What runs neural networks: one framework per file."""

import os

# ONNX Runtime 1.32 keeps a database of its use for its maker, from the moment it is imported. A robot tells
# nobody what it does, unless its owner says so (docs/decisions/0010-engines.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
