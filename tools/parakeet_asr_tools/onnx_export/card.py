"""The model card that is written beside an exported model."""

from __future__ import annotations

from parakeet_asr.core.model_spec import ModelSpec


def model_card(spec: ModelSpec, weights: str) -> str:
    """Markdown that says what the model is and where it came from."""
    decoder, encoder = spec.decoder, spec.encoder
    joint = f"{decoder.vocabulary_size} pieces + blank"
    if decoder.durations:
        joint += f" + durations {list(decoder.durations)}"
    sizes = f"{encoder.layers} layers, d_model {encoder.d_model}, subsampling x{encoder.subsampling_factor}"
    features = f"recipe `{spec.features.recipe}`, {spec.features.mels} mel"
    graphs = "\n".join(
        f"| `{graph.file}` | {_tensors(graph.inputs)} | {_tensors(graph.outputs)} |"
        for graph in spec.graphs.values()
    )
    return f"""# {spec.name}

Exported from `{spec.source.file}` (sha256 `{spec.source.sha256}`) by {spec.source.exporter}.
Language: {spec.language}. Licence: {spec.licence}.

| | |
|---|---|
| Encoder | FastConformer, {sizes}, {encoder.streaming.kind} |
| Decoder | {decoder.kind}, {decoder.predictor_layers}-layer LSTM of {decoder.predictor_hidden}; joint \
{decoder.joint_hidden} -> {decoder.logits_size} ({joint}) |
| Features | {features}, normalisation {spec.features.normalize} |
| Weights | stored as {weights}, computed in float32 |

| Graph | Inputs | Outputs |
|---|---|---|
{graphs}

`model.json` is the contract that the runtime checks; any change of a file here must go through a new export.
"""


def _tensors(tensors: object) -> str:
    assert isinstance(tensors, dict)
    return ", ".join(
        f"`{name}` {spec.dtype} [{', '.join(map(str, spec.shape))}]" for name, spec in tensors.items()
    )
