"""Offline recognition: whole pieces of audio in one full-context pass each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from parakeet_asr.core.decoding import Decoded, DecoderState, GreedyDecoder
from parakeet_asr.core.engine import AudioDecoder, EncoderOutput, Engine
from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.core.guard import BlankGuard
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.phrases import DEFAULT_SCORE, Phrase, SkippedPhrase, compile_phrases
from parakeet_asr.core.spectrum import HOP_SAMPLES
from parakeet_asr.core.tokenizer import Tokenizer
from parakeet_asr.core.words import build_words, join_words
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray, Token, Transcription


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How utterances are put together for one pass of the encoder."""

    max_utterances: int = 16
    max_frames: int = 24_000  # padded, of the whole batch: 240 s of audio bound its memory


class Recognizer:
    """Features, encoder, decoder and tokenizer in a row. Holds no state between calls."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: Tokenizer,
        batching: BatchOptions | None = None,
        guard: BlankGuard | None = None,
    ) -> None:
        """Recognize with ``engine``; its model's contract says how. ``guard`` fills what it left out."""
        self.engine = engine
        self.tokenizer = tokenizer
        self.spec: ModelSpec = engine.spec
        self.features = FeatureExtractor(engine.spec.features)
        self._decoder = GreedyDecoder(engine)
        self._batching = batching or BatchOptions()
        self.guard = guard

    @property
    def step_samples(self) -> int:
        """Samples per encoder step (1280)."""
        return HOP_SAMPLES * self.spec.encoder.subsampling_factor

    @property
    def step_s(self) -> float:
        """Seconds per encoder step (0.08)."""
        return self.step_samples / SAMPLE_RATE_HZ

    def recognize(self, audio: Sequence[FloatArray]) -> list[Transcription]:
        """Recognize pieces of audio that have nothing to do with each other.

        Args:
            audio: [n] float32 at 16 kHz each; an empty one, or one below a frame, is silence.

        Returns:
            One transcription per piece, in the order given.
        """
        results: list[Transcription] = [Transcription("", (), (), len(a) / SAMPLE_RATE_HZ) for a in audio]
        for rows in self._batches([self.features.frame_count(len(samples)) for samples in audio]):
            decoded = self._tokens([audio[row] for row in rows])
            for row, written in zip(rows, decoded, strict=True):
                tokens = self.fill_holes(audio[row], written)
                heard = self.transcription(tokens, len(audio[row]))
                results[row] = replace(heard, recovered=tokens is not written)
        return results

    def set_phrases(
        self, phrases: Iterable[str | Phrase], score: float = DEFAULT_SCORE, anti_blank: float = 0.0
    ) -> tuple[SkippedPhrase, ...]:
        """Listen for these phrases instead of those before, from the next decoder call on; none ends it.

        May be called from another thread while this one recognizes: a call that runs keeps what it has. An
        utterance that is open goes on with the new ones, where the match of an old one is forgotten.

        Returns:
            The phrases that the model could never write; the others are listened for.

        Raises:
            ConfigurationError: a score is not a number from 0 on; the phrases before stay.
        """
        compiled = compile_phrases(phrases, self.tokenizer, score, anti_blank)
        self._decoder.phrases = compiled.automaton
        return compiled.skipped

    def fill_holes(
        self, samples: FloatArray, tokens: tuple[Token, ...], first_step: int = 0
    ) -> tuple[Token, ...]:
        """What the blank guard makes of ``tokens``, which the decoder wrote about ``samples``.

        Args:
            samples: [n] decoded audio, which begins at ``first_step``.
            tokens: with steps counted as ``first_step`` is.
            first_step: where the audio lies in its recording.
        """
        if self.guard is None:
            return tokens
        return self.guard.recover(samples, tokens, first_step, self)

    def encode(self, audio: Sequence[FloatArray]) -> EncoderOutput:
        """Features and encoder for one batch; every piece has a frame at least."""
        features = [self.features.extract(samples) for samples in audio]
        return self.engine.encode(*_pad(features))

    def decode(self, encoded: EncoderOutput, states: Sequence[DecoderState] | None = None) -> list[Decoded]:
        """Decode a batch of encoder steps, going on from ``states``."""
        return self._decoder.decode(encoded, states)

    def transcription(self, tokens: tuple[Token, ...], samples: int) -> Transcription:
        """Tokens of ``samples`` samples of audio as text and words.

        A duration may reach beyond the audio; the word does not, so that it overlaps nothing behind a cut.
        """
        end_s = samples / SAMPLE_RATE_HZ
        built = build_words(tokens, self.tokenizer.pieces, self.step_s)
        words = tuple(word if word.end_s <= end_s else replace(word, end_s=end_s) for word in built)
        return Transcription(join_words(words), tokens, words, end_s)

    def decode_alone(self, samples: FloatArray) -> tuple[Token, ...]:
        """Tokens of one piece of audio, from a fresh state and without the guard."""
        if not self.features.frame_count(len(samples)):
            return ()
        return self._tokens([samples])[0]

    def _tokens(self, audio: Sequence[FloatArray]) -> list[tuple[Token, ...]]:
        """Tokens of a batch from fresh states: on the engine's device where it offers that."""
        if isinstance(self.engine, AudioDecoder) and self._decoder.phrases is None:
            return self.engine.decode_audio(audio)
        return [one.tokens for one in self.decode(self.encode(audio))]

    def _batches(self, frames: Sequence[int]) -> Iterator[list[int]]:
        """Rows in batches of similar length, so that little is padded; rows without a frame are left out."""
        batch: list[int] = []
        for row in sorted((r for r, n in enumerate(frames) if n), key=lambda r: -frames[r]):
            longest = frames[batch[0]] if batch else frames[row]
            full = len(batch) == self._batching.max_utterances
            if full or (batch and longest * (len(batch) + 1) > self._batching.max_frames):
                yield batch
                batch = []
            batch.append(row)
        if batch:
            yield batch


def _pad(features: Sequence[FloatArray]) -> tuple[FloatArray, np.ndarray]:
    """Stack [mels, frames] arrays as [batch, mels, frames] with zeros behind each, and their lengths."""
    lengths = np.array([f.shape[1] for f in features], np.int64)
    if len(features) == 1:
        return features[0][None], lengths
    padded = np.zeros((len(features), features[0].shape[0], int(lengths.max())), np.float32)
    for row, f in enumerate(features):
        padded[row, :, : f.shape[1]] = f
    return padded, lengths
