"""Random models in NeMo's format, for trying the full size without downloading weights."""
