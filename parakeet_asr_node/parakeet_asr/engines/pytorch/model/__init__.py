"""The FastConformer transducer in PyTorch, written from its published description.

Engine torch runs it, and exported graphs are compared with it; its parameters carry NeMo's names, so that
a NeMo state dict loads strictly.
"""
