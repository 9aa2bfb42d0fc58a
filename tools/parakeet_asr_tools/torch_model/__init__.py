"""The FastConformer transducer in PyTorch, written from its published description.

It is the reference that exported graphs are compared with; its parameters carry NeMo's names, so that
a NeMo state dict loads strictly.
"""
