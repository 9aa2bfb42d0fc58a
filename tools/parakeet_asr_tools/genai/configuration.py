"""``genai_config.json`` and ``audio_processor_config.json`` of a bundle.

GenAI reads a window of ``chunk_samples`` at a time, with context around it. What fits into one window is one
pass, as in NeMo and here; longer audio is decoded window by window.
"""

from __future__ import annotations

from typing import Any

from parakeet_asr.core.filterbank import FFT_SIZE
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.spectrum import HOP_SAMPLES, WINDOW_SAMPLES
from parakeet_asr.errors import ArchiveError
from parakeet_asr.records import SAMPLE_RATE_HZ

MODEL_TYPE = "parakeet_tdt"
CHUNK_S, LEFT_S, RIGHT_S = 60.0, 10.0, 2.0
CONTEXT_TOKENS = 1 << 16  # the longest sequence; it costs nothing until it is written
_PREEMPHASIS = 0.97
_LOG_EPSILON = 2.0**-24  # NeMo's log_zero_guard_value
_NORM_EPSILON = 1e-5


def check_supported(spec: ModelSpec) -> None:
    """Refuse what GenAI's ``parakeet_tdt`` cannot run.

    Raises:
        ArchiveError: it is no offline TDT model with normalised features.
    """
    wrong = {
        "a tdt decoder": spec.decoder.kind == "tdt",
        "an offline encoder": spec.encoder.streaming.kind == "offline",
        "features normalised per_feature": spec.features.normalize == "per_feature",
        "durations that begin with 0": spec.decoder.durations[:1] == (0,),
    }
    if missing := [what for what, holds in wrong.items() if not holds]:
        raise ArchiveError(
            f"{spec.name}: a GenAI bundle needs {' and '.join(missing)}; export it without --format genai"
        )


def genai_config(spec: ModelSpec) -> dict[str, Any]:
    """The object of ``genai_config.json``: files, tensors, features, windows and the TDT durations."""
    encoder, decoder = spec.encoder, spec.decoder
    files = {name: graph.file for name, graph in spec.graphs.items()}
    return {
        "model": {
            "type": MODEL_TYPE,
            # GenAI counts the blank among the tokens; the durations follow behind them
            "vocab_size": decoder.vocabulary_size + 1,
            "blank_id": decoder.blank_id,
            "bos_token_id": decoder.blank_id,
            "eos_token_id": [decoder.blank_id],
            "pad_token_id": decoder.blank_id,
            "context_length": CONTEXT_TOKENS,
            "tdt_durations": list(decoder.durations),
            "max_symbols_per_step": decoder.max_symbols_per_step,
            "sample_rate": SAMPLE_RATE_HZ,
            "num_mels": spec.features.mels,
            "fft_size": FFT_SIZE,
            "hop_length": HOP_SAMPLES,
            "win_length": WINDOW_SAMPLES,
            "preemph": _PREEMPHASIS,
            "log_eps": _LOG_EPSILON,
            "norm_eps": _NORM_EPSILON,
            "subsampling_factor": encoder.subsampling_factor,
            "chunk_samples": round(CHUNK_S * SAMPLE_RATE_HZ),
            "left_context_samples": round(LEFT_S * SAMPLE_RATE_HZ),
            "right_context_samples": round(RIGHT_S * SAMPLE_RATE_HZ),
            "encoder": {
                "filename": files["encoder"],
                "hidden_size": encoder.d_model,
                "num_hidden_layers": encoder.layers,
                "inputs": {"audio_features": "audio_signal", "input_lengths": "length"},
                "outputs": {"encoder_outputs": "outputs", "output_lengths": "encoded_lengths"},
            },
            "decoder": {
                "filename": files["decoder"],
                "hidden_size": decoder.predictor_hidden,
                "num_hidden_layers": decoder.predictor_layers,
                "session_options": {"provider_options": []},
                "inputs": {
                    "targets": "targets",
                    "targets_length": "target_length",
                    "lstm_hidden_state": "h_in",
                    "lstm_cell_state": "c_in",
                },
                "outputs": {
                    "outputs": "outputs",
                    "outputs_length": "prednet_lengths",
                    "lstm_hidden_state": "h_out",
                    "lstm_cell_state": "c_out",
                },
            },
            "joiner": {
                "filename": files["joint"],
                "inputs": {"encoder_outputs": "encoder_outputs", "decoder_outputs": "decoder_outputs"},
                "outputs": {"logits": "outputs"},
            },
            "speech": {"config_filename": "audio_processor_config.json"},
        },
        "search": {"max_length": CONTEXT_TOKENS, "num_beams": 1, "do_sample": False},
    }


def audio_processor_config(spec: ModelSpec) -> dict[str, Any]:
    """The object of ``audio_processor_config.json``, with the field names of transformers' feature extractor.

    GenAI 0.18 takes the same numbers from ``genai_config.json``; this file tells them to everybody else.
    """
    return {
        "feature_extractor_type": "ParakeetFeatureExtractor",
        "sampling_rate": SAMPLE_RATE_HZ,
        "feature_size": spec.features.mels,
        "n_fft": FFT_SIZE,
        "hop_length": HOP_SAMPLES,
        "win_length": WINDOW_SAMPLES,
        "preemphasis": _PREEMPHASIS,
        "log_zero_guard": _LOG_EPSILON,
        "normalize": spec.features.normalize,
        "normalize_epsilon": _NORM_EPSILON,
        "padding_value": 0.0,
    }
