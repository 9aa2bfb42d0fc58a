"""Smaller and fused encoders out of an exported one; ONNX Runtime's own tools do the quantisation."""
