"""Bundles for ONNX Runtime GenAI, whose model type ``parakeet_tdt`` runs them (seen with version 0.18.0)."""
