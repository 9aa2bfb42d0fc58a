"""PyTorch: runs a ``.nemo`` archive as it is, on CUDA or on the CPU."""
