"""Training and fine-tuning of FastConformer transducers in plain PyTorch; the result is a ``.nemo``.

docs/training.md says how to use it.
"""
