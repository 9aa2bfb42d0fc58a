"""NeMo's own configurations, small and full size (docs/export.md says where the numbers come from)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

NEMO_VERSION = "2.6.2"
DURATIONS = [0, 1, 2, 3, 4]  # steps

PresetName = Literal["v3", "demo", "tiny", "cache-aware"]
DecoderName = Literal["tdt", "rnnt"]


@dataclass(frozen=True, slots=True)
class Preset:
    """The sizes in which the presets differ."""

    layers: int
    d_model: int
    heads: int
    subsampling_channels: int
    predictor_hidden: int
    joint_hidden: int
    vocabulary_size: int
    mels: int = 128
    predictor_layers: int = 2
    conv_kernel_steps: int = 9
    attention_context_steps: tuple[int, int] = (-1, -1)  # left, right; -1 is everything

    @property
    def cache_aware(self) -> bool:
        """Whether it is causal, for streaming with caches."""
        return self.attention_context_steps != (-1, -1)


PRESETS: dict[PresetName, Preset] = {
    "v3": Preset(24, 1024, 8, 256, 640, 640, 8192),  # parakeet-tdt-0.6b-v3
    "demo": Preset(12, 176, 4, 128, 256, 256, 256),
    "tiny": Preset(4, 176, 4, 128, 256, 256, 256),  # the demo model with a third of its layers
    # the structure of nemotron-speech-streaming, small: 0.16 s at a time, 5.6 s of attention
    "cache-aware": Preset(4, 64, 4, 32, 64, 64, 256, predictor_layers=1, attention_context_steps=(70, 1)),
}


def model_config(
    preset: Preset, decoder: DecoderName, vocabulary: list[str], artifacts: dict[str, str]
) -> dict[str, Any]:
    """``model_config.yaml`` of a model of this size.

    Args:
        preset: the sizes.
        decoder: with durations (tdt) or without.
        vocabulary: the tokenizer's pieces.
        artifacts: tokenizer settings and the archive members they mean.
    """
    durations = DURATIONS if decoder == "tdt" else []
    return {
        "sample_rate": 16000,
        "log_prediction": False,
        "rnnt_reduction": "mean_volume",
        "model_defaults": {
            "enc_hidden": preset.d_model,
            "pred_hidden": preset.predictor_hidden,
            "joint_hidden": preset.joint_hidden,
            **({"tdt_durations": durations, "num_tdt_durations": len(durations)} if durations else {}),
        },
        "tokenizer": {"dir": ".", "type": "bpe", **{key: f"nemo:{name}" for key, name in artifacts.items()}},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
            "sample_rate": 16000,
            "normalize": "NA" if preset.cache_aware else "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": preset.mels,
            "n_fft": 512,
            "log": True,
            "frame_splicing": 1,
            "dither": 1e-05,
            "pad_to": 0,
            "pad_value": 0.0,
        },
        "encoder": _encoder(preset),
        "decoder": {
            "_target_": "nemo.collections.asr.modules.RNNTDecoder",
            "normalization_mode": None,
            "random_state_sampling": False,
            "blank_as_pad": True,
            "prednet": {
                "pred_hidden": preset.predictor_hidden,
                "pred_rnn_layers": preset.predictor_layers,
                "t_max": None,
                "dropout": 0.2,
            },
            "vocab_size": len(vocabulary),
        },
        "joint": _joint(preset, vocabulary, len(durations)),
        **_random_decoding(durations),
        "train_ds": None,
        "validation_ds": None,
        "test_ds": None,
        "optim": {"name": "adamw", "lr": 0.001},
        "labels": vocabulary,
        "target": "nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel",
        "nemo_version": NEMO_VERSION,
    }


def decoder_settings(durations: list[int]) -> dict[str, Any]:
    """``decoding`` and ``loss`` of ``model_config.yaml``: TDT with these durations, RNNT without any."""
    greedy = {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}}
    if not durations:
        kernels = {"fastemit_lambda": 0.0, "clamp": -1.0}
        return {"decoding": greedy, "loss": {"loss_name": "default", "warprnnt_numba_kwargs": kernels}}
    tdt = {"fastemit_lambda": 0.0, "durations": durations, "sigma": 0.02, "omega": 0.1}
    return {
        "decoding": {**greedy, "model_type": "tdt", "durations": durations},
        "loss": {"loss_name": "tdt", "tdt_kwargs": tdt},
    }


def _random_decoding(durations: list[int]) -> dict[str, Any]:
    settings = decoder_settings(durations)
    if not durations:  # random weights, once they talk, go on at the same step until they must stop
        settings["decoding"]["greedy"] = {"max_symbols": 3}
    return settings


def _encoder(preset: Preset) -> dict[str, Any]:
    return {
        "_target_": "nemo.collections.asr.modules.ConformerEncoder",
        "feat_in": preset.mels,
        "feat_out": -1,
        "n_layers": preset.layers,
        "d_model": preset.d_model,
        "use_bias": False,
        "subsampling": "dw_striding",
        "subsampling_factor": 8,
        "subsampling_conv_channels": preset.subsampling_channels,
        "causal_downsampling": preset.cache_aware,
        "ff_expansion_factor": 4,
        "self_attention_model": "rel_pos",
        "n_heads": preset.heads,
        "att_context_size": list(preset.attention_context_steps),
        "att_context_style": "chunked_limited" if preset.cache_aware else "regular",
        "xscaling": False,
        "untie_biases": True,
        "pos_emb_max_len": 5000,
        "conv_kernel_size": preset.conv_kernel_steps,
        "conv_norm_type": "layer_norm" if preset.cache_aware else "batch_norm",
        "conv_context_size": "causal" if preset.cache_aware else None,
        "dropout": 0.1,
        "dropout_pre_encoder": 0.1,
        "dropout_emb": 0.0,
        "dropout_att": 0.1,
    }


def _joint(preset: Preset, vocabulary: list[str], durations: int) -> dict[str, Any]:
    return {
        "_target_": "nemo.collections.asr.modules.RNNTJoint",
        "log_softmax": None,
        "preserve_memory": False,
        "fuse_loss_wer": True,
        "fused_batch_size": 4,
        "num_extra_outputs": durations,
        "jointnet": {
            "joint_hidden": preset.joint_hidden,
            "activation": "relu",
            "dropout": 0.2,
            "encoder_hidden": preset.d_model,
            "pred_hidden": preset.predictor_hidden,
        },
        "num_classes": len(vocabulary),
        "vocabulary": vocabulary,
    }
