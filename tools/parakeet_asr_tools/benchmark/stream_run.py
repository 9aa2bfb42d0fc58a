"""The run of ``bench-stream``: windows beside NeMo's in processes of their own, then live sessions here."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from parakeet_asr.core.buffered import BufferedStream, WindowOptions
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray, Transcription, Word
from parakeet_asr_tools.benchmark.accuracy import word_error_rate, words
from parakeet_asr_tools.benchmark.corpus import Corpus
from parakeet_asr_tools.benchmark.job import Hypothesis, Job, Request
from parakeet_asr_tools.benchmark.processes import OURS, Child, Entrant
from parakeet_asr_tools.benchmark.run import describe_machine
from parakeet_asr_tools.benchmark.stream_live import Live, measure_live
from parakeet_asr_tools.benchmark.stream_measures import (
    HeardWord,
    near,
    percentile,
    spoken,
    timed_errors,
)
from parakeet_asr_tools.benchmark.stream_results import (
    Contended,
    LiveFigures,
    StreamResults,
    WindowFigures,
)

NEMO = "nemo"
NEMO_BATCH = 32  # the default of NeMo's script
SLICE_CLIPS = 32
SHARES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class StreamRunOptions:
    """How much is measured."""

    windows: tuple[str, ...] = ("10-2-2", "10-1-1")
    threads: int = 1  # of the contenders; live sessions always run on one
    rounds: int = 3
    timed_s: float = 300.0  # audio of a timed round at most
    live_s: float = 600.0  # audio of the live sessions at most


class StreamRun:
    """One run over a corpus."""

    def __init__(
        self,
        corpus: Corpus,
        entrants: Sequence[Entrant],
        options: StreamRunOptions,
        profiles: Mapping[str, SessionOptions],
        say: Callable[[str], None],
    ) -> None:
        """Prepare; ``entrants`` are ours and, where it is there, NeMo."""
        self._corpus = corpus
        self._entrants = entrants
        self._options = options
        self._profiles = profiles
        self._say = say
        self._audio = [_read(corpus.pool, c.offset_samples, c.samples) for c in corpus.clips]
        self._texts = [clip.text for clip in corpus.clips]
        self._versions: dict[str, dict[str, str]] = {}

    def measure(self, skipped: dict[str, str]) -> StreamResults:
        """Measure everything.

        Raises:
            ChildError: a contender failed.
        """
        machine = describe_machine()
        directory = next(entrant.model for entrant in self._entrants if entrant.name == OURS)
        with load_model(directory, threads=1, guard=None) as model:
            offline = [model.recognizer.recognize([samples])[0] for samples in self._audio]
            windows = [self._window(window, model, offline) for window in self._options.windows]
        with load_model(directory, threads=1) as model:
            model.warm_up()
            live = [self._live(name, options, model) for name, options in self._profiles.items()]
        return StreamResults(
            date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
            machine=machine,
            model=directory.name,
            corpus=self._corpus.name,
            utterances=len(self._audio),
            duration_s=self._corpus.duration_s,
            threads=self._options.threads,
            rounds=self._options.rounds,
            timed_s=self._seconds(self._timed_rows()),
            wer_offline=word_error_rate(self._texts, [one.text for one in offline]),
            windows=windows,
            live=live,
            versions=self._versions,
            skipped=skipped,
        )

    def _window(self, window: str, model: Model, offline: Sequence[Transcription]) -> WindowFigures:
        """One window: all clips for the errors, a choice of them, taking turns, for the time."""
        sizes = _sizes(window)
        streamed = [_stream(model, samples, sizes) for samples in self._audio]
        figures = WindowFigures(window, word_error_rate(self._texts, [one.text for one in streamed]))
        for text, samples, cut, whole in zip(self._texts, self._audio, streamed, offline, strict=True):
            figures.seam_errors += _near_seams(text, cut.words, sizes, samples)
            figures.offline_errors += _near_seams(text, whole.words, sizes, samples)
        with contextlib.ExitStack() as stack:
            children = {entrant.name: self._start(stack, entrant, window) for entrant in self._entrants}
            if NEMO in children:
                heard = self._accuracy(children[NEMO])
                figures.wer_nemo = word_error_rate(self._texts, [one.text for one in heard])
                figures.equal_ids = sum(a.token_ids == b.ids for a, b in zip(streamed, heard, strict=True))
            figures.contended = self._take_turns(children)
        self._say(f"{window}: WER {100 * figures.wer_ours:.2f} %")
        return figures

    def _start(self, stack: contextlib.ExitStack, entrant: Entrant, window: str) -> Child:
        streaming = Entrant(f"{entrant.name}_stream:{window}", entrant.python, entrant.model)
        pool = str(self._corpus.pool.resolve())
        job = Job(streaming.name, "serve", "", self._options.threads, pool, self._corpus.clips)
        child = stack.enter_context(Child(streaming, job))
        self._versions[entrant.name] = child.ask().versions
        return child

    def _accuracy(self, child: Child) -> list[Hypothesis]:
        rows = list(range(len(self._audio)))
        return child.ask(Request("accuracy", rows, 1)).hypotheses

    def _take_turns(self, children: Mapping[str, Child]) -> list[Contended]:
        """All contenders on slices of half a minute, one after the other, so that noise hits all alike."""
        rows = self._timed_rows()
        audio_s = self._seconds(rows)
        found = [Contended(name, 1, audio_s) for name in children]
        if NEMO in children:
            found.append(Contended(NEMO, NEMO_BATCH, audio_s))
        slices = [rows[first : first + SLICE_CLIPS] for first in range(0, len(rows), SLICE_CLIPS)]
        for number in range(self._options.rounds):
            cpu_s, wall_s = [0.0] * len(found), [0.0] * len(found)
            for part in slices:
                for i, one in enumerate(found):
                    answer = children[one.name].ask(Request("speed", part, one.batch))
                    cpu_s[i] += answer.cpu_s
                    wall_s[i] += answer.wall_s
            for i, one in enumerate(found):
                one.cpu_s.append(cpu_s[i])
                one.wall_s.append(wall_s[i])
            self._say(f"round {number + 1} of {self._options.rounds}")
        return found

    def _timed_rows(self) -> list[int]:
        """An even choice of clips, the shortest first, so that a batch pads little."""
        rows = _choose([len(samples) for samples in self._audio], self._options.timed_s)
        return sorted(rows, key=lambda row: len(self._audio[row]))

    def _seconds(self, rows: Sequence[int]) -> float:
        return sum(len(self._audio[row]) for row in rows) / SAMPLE_RATE_HZ

    def _live(self, name: str, options: SessionOptions, model: Model) -> LiveFigures:
        rows = _choose([len(samples) for samples in self._audio], self._options.live_s)
        live = measure_live(model, [self._audio[r] for r in rows], [self._texts[r] for r in rows], options)
        self._say(f"live, {name}: {live.utterances} utterances, load {live.load:.3f}")
        return _figures(name, options, live)


def _figures(name: str, options: SessionOptions, live: Live) -> LiveFigures:
    def shares(values: Sequence[float]) -> list[float]:
        return [percentile(values, share) for share in SHARES]

    default = asdict(SessionOptions())
    changed = {key: value for key, value in asdict(options).items() if value != default[key]}
    return LiveFigures(
        profile=name,
        options=", ".join(f"{key} {value:g}" for key, value in changed.items()) or "-",
        interval_s=options.partial_interval_s,
        silence_s=options.silence_s,
        wer_offline=live.wer_offline,
        wer_final=live.wer_final,
        utterances=live.utterances,
        identical=live.identical,
        first_partial_s=shares(live.first_partial_s),
        first_partial_audio_s=shares(live.first_partial_audio_s),
        commit_s=shares(live.commit_s),
        final_s=shares(live.final_s),
        final_audio_s=shares(live.final_audio_s),
        final_after_word_s=shares(live.final_after_word_s),
        revision_rate=live.revision_rate,
        stable_changed=live.stable_changed,
        load=live.load,
    )


def _near_seams(text: str, heard: Sequence[Word], sizes: WindowOptions, samples: FloatArray) -> int:
    """Insertions and deletions within a second of where a chunk ends and the next begins."""
    timed = spoken(HeardWord(w.text, w.start_s, w.end_s) for w in heard)
    seams_s = np.arange(sizes.chunk_s, len(samples) / SAMPLE_RATE_HZ - sizes.right_s, sizes.chunk_s)
    return near(timed_errors(words(text), timed), seams_s.tolist())


def _stream(model: Model, samples: FloatArray, sizes: WindowOptions) -> Transcription:
    stream = BufferedStream(model.recognizer, lambda start, stop: samples[start:stop], sizes)
    stream.flush(len(samples))
    return model.recognizer.transcription(stream.committed, len(samples))


def _sizes(window: str) -> WindowOptions:
    left_s, chunk_s, right_s = map(float, window.split("-"))
    return WindowOptions(left_s, chunk_s, right_s)


def _choose(lengths_samples: Sequence[int], limit_s: float) -> list[int]:
    """Every n-th row, n the smallest with which the choice is no longer than ``limit_s``."""
    for stride in range(1, len(lengths_samples) + 1):
        if sum(lengths_samples[::stride]) <= limit_s * SAMPLE_RATE_HZ:
            return list(range(0, len(lengths_samples), stride))
    return [0]


def _read(pool: Path, offset_samples: int, samples: int) -> FloatArray:
    item_bytes = np.dtype(np.float32).itemsize
    return np.fromfile(pool, np.float32, samples, offset=offset_samples * item_bytes)
