"""The composition root: from a model's name to something that recognizes speech."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import overload

import numpy as np

from parakeet_asr.core.choices import DeviceName, EngineName, FallbackName, PrecisionName
from parakeet_asr.core.duplex.canceller import EchoCanceller
from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.core.duplex.session import DuplexSession
from parakeet_asr.core.endpoint import VoiceDetector
from parakeet_asr.core.guard import BlankGuard, GuardOptions
from parakeet_asr.core.longform import LongformOptions, longform_within, recognize_stream
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.engine_choice import EngineRequest, open_engine
from parakeet_asr.errors import AudioFormatError, ConfigurationError
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray, Transcription

AudioInput = str | os.PathLike[str] | FloatArray
Progress = Callable[[float, "float | None"], None]
"""Called with the seconds done and, where it is known, the seconds in all."""

_DEFAULT_GUARD = GuardOptions()


class Model:
    """A loaded model. Not thread safe: one owner at a time."""

    def __init__(
        self, recognizer: Recognizer, path: Path, note: str = "", longform: LongformOptions | None = None
    ) -> None:
        """Wrap a recognizer; :func:`load_model` makes one."""
        self._longform = longform or LongformOptions()
        self.recognizer = recognizer
        self.note = note  # why it is another engine than the one that was asked for; empty when it is not
        self.path = path  # the model directory, or the .nemo file

    @property
    def spec(self) -> ModelSpec:
        """The model's contract."""
        return self.recognizer.spec

    @property
    def description(self) -> str:
        """Model and engine, for people."""
        return f"{self.spec.name} on {self.recognizer.engine.description}"

    @overload
    def transcribe(  # type: ignore[overload-overlap]  # a str is a Sequence, too, but it means a path
        self, audio: AudioInput, *, on_progress: Progress | None = None
    ) -> Transcription: ...

    @overload
    def transcribe(
        self, audio: Sequence[AudioInput], *, on_progress: Progress | None = None
    ) -> list[Transcription]: ...

    def transcribe(
        self, audio: AudioInput | Sequence[AudioInput], *, on_progress: Progress | None = None
    ) -> Transcription | list[Transcription]:
        """Recognize one recording, or several in batches.

        Args:
            audio: a path (any format, rate and channel count), or [n] float32 samples at 16 kHz, or a
                list of these. One recording may have any length; a list is held in memory.
            on_progress: called from time to time with the seconds done and in all.

        Raises:
            AudioReadError: a file cannot be decoded.
            AudioFormatError: an array is not a one-dimensional array of numbers.
            EngineError: the engine failed.
        """
        if isinstance(audio, str | os.PathLike | np.ndarray):
            return self._transcribe_one(audio, on_progress)
        return self._transcribe_all(audio, on_progress)

    def session(self, options: SessionOptions | None = None) -> SpeechSession:
        """A stream that cuts itself into utterances with Silero's voice detector."""
        return SpeechSession(self.recognizer, _voice_detector(), options)

    def duplex_session(
        self, options: SessionOptions | None = None, duplex_options: DuplexOptions | None = None
    ) -> DuplexSession:
        """The same for a robot that speaks itself.

        Raises:
            ConfigurationError: mode ``full`` without the extra ``duplex``.
        """
        return DuplexSession(
            self.session(options), duplex_options, canceller=_echo_canceller, detector=_voice_detector()
        )

    @staticmethod
    def require_echo_canceller() -> None:
        """See that mode ``full`` can be chosen later.

        Raises:
            ConfigurationError: without the extra ``duplex``.
        """
        _echo_canceller()

    def warm_up(self) -> None:
        """Run one second of silence through every graph, so that the first utterance waits for nothing."""
        encoded = self.recognizer.encode([np.zeros(SAMPLE_RATE_HZ, np.float32)])
        self.recognizer.decode(encoded)

    def close(self) -> None:
        """Give the engine's memory back."""
        self.recognizer.engine.close()

    def __enter__(self) -> Model:
        """Use as a context manager that closes."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _transcribe_one(self, audio: AudioInput, on_progress: Progress | None) -> Transcription:
        if isinstance(audio, np.ndarray):
            samples = _checked(audio)
            blocks = (samples[i : i + SAMPLE_RATE_HZ] for i in range(0, len(samples), SAMPLE_RATE_HZ))
            return self._recognize(blocks, len(samples) / SAMPLE_RATE_HZ, on_progress)
        from parakeet_asr.sources.audio_file import open_audio

        with open_audio(audio) as stream:
            return self._recognize(stream.blocks(), stream.duration_s, on_progress)

    def _recognize(
        self, blocks: Iterable[FloatArray], total_s: float | None, on_progress: Progress | None
    ) -> Transcription:
        on_piece = None if on_progress is None else partial(_progress, on_progress, total_s)
        return recognize_stream(self.recognizer, blocks, self._longform, on_piece)

    def _transcribe_all(
        self, audio: Sequence[AudioInput], on_progress: Progress | None
    ) -> list[Transcription]:
        from parakeet_asr.sources.audio_file import read_audio

        samples = [_checked(a) if isinstance(a, np.ndarray) else read_audio(a) for a in audio]
        total_s = sum(map(len, samples)) / SAMPLE_RATE_HZ
        limit = self._longform.single_pass_s * SAMPLE_RATE_HZ
        short = [i for i, s in enumerate(samples) if len(s) <= limit]
        results = dict(zip(short, self.recognizer.recognize([samples[i] for i in short]), strict=True))
        for i, recording in enumerate(samples):
            if i not in results:
                results[i] = self._transcribe_one(recording, None)
        if on_progress is not None:
            on_progress(total_s, total_s)
        return [results[i] for i in range(len(samples))]


def load_model(
    model: str | os.PathLike[str] = "demo",
    *,
    engine: EngineName = "auto",
    threads: int | None = None,
    device: DeviceName = "auto",
    verify: bool = True,
    fallback: FallbackName = "cpu",
    rebuild: bool = False,
    guard: GuardOptions | None = _DEFAULT_GUARD,
    precision: PrecisionName = "auto",
    compiled: bool = False,
) -> Model:
    """Load a model.

    Args:
        model: the path of a ``.nemo`` file or of a model directory, or the name of a model that came with
            the package (``demo``).
        engine: what runs the networks; ``auto``: torch for a ``.nemo`` file, trt for a directory with
            engines that were built, else ort.
        threads: for one operator; None lets the engine take every core.
        device: where the engine runs; ``auto``: ort on the CPU, torch on CUDA where there is one.
        verify: check every file's sha256, too.
        fallback: where engine trt cannot be used (no GPU, no plan that fits, a failed self-check): ``cpu``
            takes ONNX Runtime and puts the reason into ``Model.note``; ``error`` raises.
        rebuild: engine trt builds plans that are missing, damaged or of another machine; takes minutes.
        guard: when speech about which the decoder wrote nothing is decoded again; None: never, which is
            what the decoder of NeMo alone gives.
        precision: of the encoder's products with engine torch; ``auto``: float16 on CUDA, float32 on the CPU.
        compiled: run the encoder through torch.compile (engine torch; new shapes then take a minute each).

    Raises:
        ModelError: the model is not there, was altered or contradicts itself.
        EngineError: the engine cannot be created.
        ConfigurationError: an argument is not one of those above, or the engine cannot run such a model.
    """
    request = EngineRequest(
        model,
        device,
        threads,
        verify,
        precision=precision,
        compiled=compiled,
        fallback=fallback,
        rebuild=rebuild,
    )
    opened = open_engine(engine, request)
    blank_guard = BlankGuard(_voice_detector, guard) if guard is not None else None
    recognizer = Recognizer(opened.engine, opened.tokenizer, opened.batching, blank_guard)
    longform = None if opened.longest_s is None else longform_within(opened.longest_s)
    return Model(recognizer, opened.path, opened.note, longform)


def _voice_detector() -> VoiceDetector:
    from parakeet_asr.engines.silero import SileroDetector

    return SileroDetector()


def _echo_canceller() -> EchoCanceller:
    try:
        from parakeet_asr.engines.speex_aec import SpeexCanceller
    except ImportError as error:
        raise ConfigurationError(
            f"mode: full needs the extra `duplex` (pip install 'parakeet_asr[duplex]'): {error}"
        ) from error
    return SpeexCanceller()


def _checked(samples: FloatArray) -> FloatArray:
    if samples.ndim != 1 or samples.dtype.kind != "f":
        raise AudioFormatError(
            f"expected [n] float samples of mono audio at 16 kHz, got {samples.dtype}{list(samples.shape)}; "
            "give the path of the file instead to have it converted"
        )
    return np.ascontiguousarray(samples, np.float32)


def _progress(on_progress: Progress, total_s: float | None, done_s: float) -> None:
    on_progress(done_s, total_s)
