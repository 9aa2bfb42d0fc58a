"""The split layout of graphs: encoder, predictor and joint network apart, as ONNX Runtime GenAI wants them.

The fused layout (``decoder_step``) projects encoder steps once and joins a window of them in the same call
as the predictor; the split one keeps every part as it is in the original model, at the price of two calls
per token and of projecting a step each time it is joined.
"""

from __future__ import annotations

from parakeet_asr.core.model_spec import GraphSpec, ModelSpec, TensorSpec

DECODER_GRAPH = "decoder"
JOINT_GRAPH = "joint"
SPLIT_GRAPHS = ("encoder", DECODER_GRAPH, JOINT_GRAPH)


def is_split(spec: ModelSpec) -> bool:
    """Whether a model directory has this layout; what ``graphs`` of its ``model.json`` names decides."""
    return DECODER_GRAPH in spec.graphs


def split_graphs(spec: ModelSpec) -> dict[str, GraphSpec]:
    """The graphs of the split layout with their tensors, of a model of this shape."""
    encoder, decoder = spec.encoder, spec.decoder
    length, state = TensorSpec("int64", ("batch",)), (decoder.predictor_layers, "batch")
    states = TensorSpec("float32", (*state, decoder.predictor_hidden))
    return {
        "encoder": GraphSpec(
            file="encoder.onnx",
            inputs={
                "audio_signal": TensorSpec("float32", ("batch", spec.features.mels, "frames")),
                "length": length,
            },
            outputs={
                "outputs": TensorSpec("float32", ("batch", encoder.d_model, "steps")),
                "encoded_lengths": length,
            },
        ),
        DECODER_GRAPH: GraphSpec(
            file="decoder.onnx",
            inputs={
                "targets": TensorSpec("int64", ("batch", "tokens")),
                "target_length": length,
                "h_in": states,
                "c_in": states,
            },
            outputs={
                "outputs": TensorSpec("float32", ("batch", decoder.predictor_hidden, "tokens")),
                "prednet_lengths": length,
                "h_out": states,
                "c_out": states,
            },
        ),
        JOINT_GRAPH: GraphSpec(
            file="joint.onnx",
            inputs={
                "encoder_outputs": TensorSpec("float32", ("batch", "T", encoder.d_model)),
                "decoder_outputs": TensorSpec("float32", ("batch", "U", decoder.predictor_hidden)),
            },
            outputs={"outputs": TensorSpec("float32", ("batch", "T", "U", decoder.logits_size))},
        ),
    }
