"""NeMo's own configurations, small and full size (docs/export.md says where the numbers come from)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

NEMO_VERSION = "2.6.2"
DURATIONS = [0, 1, 2, 3, 4]  # steps

PresetName = Literal["v3", "demo"]


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


PRESETS: dict[PresetName, Preset] = {
    "v3": Preset(24, 1024, 8, 256, 640, 640, 8192),  # parakeet-tdt-0.6b-v3
    "demo": Preset(12, 176, 4, 128, 256, 256, 256),
}


def model_config(preset: Preset, vocabulary: list[str], artifacts: dict[str, str]) -> dict[str, Any]:
    """``model_config.yaml`` of a TDT model of this size.

    Args:
        preset: the sizes.
        vocabulary: the tokenizer's pieces.
        artifacts: tokenizer settings and the archive members they mean.
    """
    return {
        "sample_rate": 16000,
        "log_prediction": False,
        "rnnt_reduction": "mean_volume",
        "model_defaults": {
            "enc_hidden": preset.d_model,
            "pred_hidden": preset.predictor_hidden,
            "joint_hidden": preset.joint_hidden,
            "tdt_durations": DURATIONS,
            "num_tdt_durations": len(DURATIONS),
        },
        "tokenizer": {"dir": ".", "type": "bpe", **{key: f"nemo:{name}" for key, name in artifacts.items()}},
        "preprocessor": {
            "_target_": "nemo.collections.asr.modules.AudioToMelSpectrogramPreprocessor",
            "sample_rate": 16000,
            "normalize": "per_feature",
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
        "joint": _joint(preset, vocabulary),
        "decoding": {
            "strategy": "greedy_batch",
            "model_type": "tdt",
            "durations": DURATIONS,
            "greedy": {"max_symbols": 10},
        },
        "loss": {
            "loss_name": "tdt",
            "tdt_kwargs": {"fastemit_lambda": 0.0, "durations": DURATIONS, "sigma": 0.02, "omega": 0.1},
        },
        "train_ds": None,
        "validation_ds": None,
        "test_ds": None,
        "optim": {"name": "adamw", "lr": 0.001},
        "labels": vocabulary,
        "target": "nemo.collections.asr.models.rnnt_bpe_models.EncDecRNNTBPEModel",
        "nemo_version": NEMO_VERSION,
    }


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
        "causal_downsampling": False,
        "ff_expansion_factor": 4,
        "self_attention_model": "rel_pos",
        "n_heads": preset.heads,
        "att_context_size": [-1, -1],
        "att_context_style": "regular",
        "xscaling": False,
        "untie_biases": True,
        "pos_emb_max_len": 5000,
        "conv_kernel_size": preset.conv_kernel_steps,
        "conv_norm_type": "batch_norm",
        "conv_context_size": None,
        "dropout": 0.1,
        "dropout_pre_encoder": 0.1,
        "dropout_emb": 0.0,
        "dropout_att": 0.1,
    }


def _joint(preset: Preset, vocabulary: list[str]) -> dict[str, Any]:
    return {
        "_target_": "nemo.collections.asr.modules.RNNTJoint",
        "log_softmax": None,
        "preserve_memory": False,
        "fuse_loss_wer": True,
        "fused_batch_size": 4,
        "num_extra_outputs": len(DURATIONS),
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
