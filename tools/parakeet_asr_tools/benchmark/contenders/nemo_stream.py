"""NeMo's left-chunk-right streaming, with NeMo's own classes.

NeMo's script ``speech_to_text_streaming_infer_rnnt.py`` is not part of its wheel, but everything that
does the work is: the audio buffer, the context sizes and the label-looping computer with carried state.
This drives them window by window as the script does.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.job import Hypothesis

SAMPLE_RATE_HZ = 16_000


class NemoStream:
    """``EncDecRNNTBPEModel`` with ``StreamingBatchedAudioBuffer``."""

    _model: Any
    _torch: Any
    _streaming: Any

    def __init__(self, left_s: float, chunk_s: float, right_s: float) -> None:
        """Sizes of the window in seconds."""
        self._sizes_s = left_s, chunk_s, right_s

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        os.environ.setdefault("NEMO_TESTING", "True")  # no telemetry
        self._torch = import_module("torch")
        self._torch.set_num_threads(threads)
        models = import_module("nemo.collections.asr.models")
        import_module("nemo.utils").logging.setLevel(logging.ERROR)
        self._streaming = import_module("nemo.collections.asr.parts.utils.streaming_utils")
        self._model = models.ASRModel.restore_from(model, map_location="cpu")
        self._model.freeze()
        self._model.preprocessor.featurizer.dither = 0.0
        self._model.preprocessor.featurizer.pad_to = 0

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """See :class:`Contender`."""
        return [one.text for one in self.transcribe_ids(audio)]

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        torch = self._torch
        padded = np.zeros((len(audio), max(len(samples) for samples in audio)), np.float32)
        for row, samples in enumerate(audio):
            padded[row, : len(samples)] = samples
        lengths = torch.tensor([len(samples) for samples in audio])
        with torch.inference_mode():
            found = self._stream(torch.from_numpy(padded), lengths)
        rows = zip(found.transcript, found.current_lengths.tolist(), strict=True)
        ids = [row[:length].tolist() for row, length in rows]
        return [Hypothesis(str(self._model.tokenizer.ids_to_text(one)), one) for one in ids]

    def features(self, samples: FloatArray) -> None:
        """See :class:`Contender`."""
        torch = self._torch
        with torch.inference_mode():
            self._model.preprocessor(
                input_signal=torch.from_numpy(samples)[None], length=torch.tensor([len(samples)])
            )

    def versions(self) -> dict[str, str]:
        """See :class:`Contender`."""
        return {name: version(name) for name in ("nemo_toolkit", "torch")}

    def _stream(self, audio: Any, lengths: Any) -> Any:
        torch = self._torch
        step = self._step_samples()
        left, chunk, right = (int(s * SAMPLE_RATE_HZ + 1e-6) // step * step for s in self._sizes_s)
        context = self._streaming.ContextSize(left=left, chunk=chunk, right=right)
        buffer = self._streaming.StreamingBatchedAudioBuffer(len(audio), context, audio.dtype, audio.device)
        hypotheses = state = None
        rest, seen, total = lengths.clone(), 0, audio.shape[1]
        while seen < total:
            stop = min(seen + chunk + (right if seen == 0 else 0), total)
            ends = rest <= stop - seen
            added = torch.where(ends, rest, torch.full_like(rest, stop - seen))
            buffer.add_audio_batch_(
                audio[:, seen:stop],
                audio_lengths=added,
                is_last_chunk=stop >= total,
                is_last_chunk_batch=ends,
            )
            decoded, state = self._decode_window(buffer, step, state)
            if hypotheses is None:
                hypotheses = decoded
            else:
                hypotheses.merge_(decoded)
            rest -= added
            seen = stop
        return hypotheses

    def _decode_window(self, buffer: Any, step_samples: int, state: Any) -> tuple[Any, Any]:
        encoded, _ = self._model(
            input_signal=buffer.samples, input_signal_length=buffer.context_size_batch.total()
        )
        left_steps = buffer.context_size.subsample(factor=step_samples).left
        decoded, _, state = self._model.decoding.decoding.decoding_computer(
            x=encoded.transpose(1, 2)[:, left_steps:],
            out_len=buffer.context_size_batch.subsample(factor=step_samples).chunk,
            prev_batched_state=state,
        )
        return decoded, state

    def _step_samples(self) -> int:
        stride_samples = int(SAMPLE_RATE_HZ * self._model.cfg.preprocessor.window_stride)
        return stride_samples * int(self._model.encoder.subsampling_factor)


def create(sizes: str) -> NemoStream:
    """The contender of this module for a window such as ``10-2-2``."""
    left_s, chunk_s, right_s = map(float, sizes.split("-"))
    return NemoStream(left_s, chunk_s, right_s)
