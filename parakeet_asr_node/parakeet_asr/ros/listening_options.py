"""How it listens now: the parameters' options, the phrases of the service, and what a goal has of its own.

Only here is known which of them holds. Changes are made on the worker's thread, in the order of the sound:
what was said before a change is recognized as it was meant then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from parakeet_asr.core.phrases import DEFAULT_SCORE, SkippedPhrase
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.core.session_contract import Session
from parakeet_asr.errors import WorkerError
from parakeet_asr.worker import Worker


@dataclass(frozen=True, slots=True)
class Phrases:
    """Names and commands to listen for."""

    texts: tuple[str, ...] = ()
    score: float = DEFAULT_SCORE


class ListeningOptions:
    """Its methods are for the executor's thread, and none of them waits for the model."""

    def __init__(self, worker: Worker, recognizer: Recognizer, session: Callable[[], Session | None]) -> None:
        """Begin without phrases and without a goal.

        Args:
            worker: changes are made on its thread.
            recognizer: gets the phrases.
            session: gives the one there is now; it gets the options.
        """
        self._worker = worker
        self._recognizer = recognizer
        self._session = session
        self._usual = SessionOptions()
        self._phrases = Phrases()
        self._goal_silence_s = 0.0  # 0: as always
        self._phrases_lent = False  # a goal has its own

    def begin(self, options: SessionOptions) -> None:
        """A session with these options begins."""
        self._usual, self._goal_silence_s = options, 0.0

    def set_options(self, options: SessionOptions) -> None:
        """Go on with these options; a goal keeps what it has of its own.

        Raises:
            ConfigurationError: they exclude what the goal has; the options before stay.
        """
        self._in_use(options)
        self._usual = options
        self._apply()

    def set_phrases(self, phrases: Phrases) -> tuple[SkippedPhrase, ...]:
        """Listen for these from now on, or from the end of the goal that has its own.

        Raises:
            ConfigurationError: the score cannot be used; the phrases before stay.
        """
        if self._phrases_lent:
            self._phrases = phrases
            return ()
        skipped = self._use_phrases(phrases)
        self._phrases = phrases
        return skipped

    def begin_goal(self, end_silence_s: float, phrases: Sequence[str]) -> Future[bool]:
        """Use other options for a while, from all sound on that has come until now.

        Args:
            end_silence_s: silence that ends the utterance; 0: as always.
            phrases: to listen for; none: as always.

        Returns:
            Whether an utterance is open, when the worker has come to it; fails with ConfigurationError.
        """
        usual = self._usual

        def begin() -> bool:
            session = self._session()
            if session is None:
                raise WorkerError("listening ended")
            if end_silence_s:
                session.set_options(replace(usual, silence_s=end_silence_s))
            if phrases:
                self._use_phrases(Phrases(tuple(phrases)))
            return session.utterance_open

        self._goal_silence_s = end_silence_s
        self._phrases_lent = bool(phrases)
        return self._worker.in_turn(begin)

    def end_goal(self) -> None:
        """Go back to the options and phrases from before the goal."""
        self._goal_silence_s = 0.0
        self._phrases_lent = False
        self._apply()
        self._worker.in_turn(lambda: self._use_phrases(self._phrases))

    def _in_use(self, usual: SessionOptions) -> SessionOptions:
        return replace(usual, silence_s=self._goal_silence_s) if self._goal_silence_s else usual

    def _apply(self) -> None:
        options = self._in_use(self._usual)

        def apply() -> None:
            if (session := self._session()) is not None:
                session.set_options(options)

        self._worker.in_turn(apply)

    def _use_phrases(self, phrases: Phrases) -> tuple[SkippedPhrase, ...]:
        return self._recognizer.set_phrases(phrases.texts, phrases.score)
