"""Write the ONNX graphs of a transducer node by node.

Nothing is traced: what is stored is exactly what is written here, so that the same weights give the
same bytes, a 2.4 GB model streams through little memory, and each node can be chosen for speed.
"""
