"""NeMo's ``.nemo`` archives: safe reading, understanding the configuration, writing."""
