"""Tools around models: export, repack and make-nemo. They may need PyTorch; the runtime never does."""

__version__ = "0.1.0"
