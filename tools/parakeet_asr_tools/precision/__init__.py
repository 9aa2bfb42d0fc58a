"""FP16 or BF16 in the graph: TensorRT 11 is always strongly typed, so the ONNX types are the precision."""
