"""The run itself: every measurement of every contender, interleaved.

All contenders' processes stay up together and take turns on slices of a second or so (A B C D, then
D A B C on the next slice, ...), so that whatever else the machine does hits all of them alike. Only
one of them works at a time.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from parakeet_asr.records import SAMPLE_RATE_HZ
from parakeet_asr_tools.benchmark.accuracy import agreement, word_error_rate
from parakeet_asr_tools.benchmark.corpus import Corpus, choose
from parakeet_asr_tools.benchmark.job import Answer, Job, Mode, Request, Work
from parakeet_asr_tools.benchmark.processes import Child, ChildError, Entrant
from parakeet_asr_tools.benchmark.results import Measured, Results

BATCHES = (1, 16)
SLICE_CLIPS = 16
MEMORY_CLIPS = 40
COLD_CLIP_S = 4.0  # the utterance closest to this, a usual command


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How much is measured."""

    threads: int = 1
    rounds: int = 3
    cold_rounds: int = 5
    timed_s: float = 600.0  # audio of one timed round at most, an even choice; accuracy takes all


class Run:
    """One benchmark run over a corpus."""

    def __init__(
        self, corpus: Corpus, entrants: Sequence[Entrant], options: RunOptions, say: Callable[[str], None]
    ) -> None:
        """Prepare; ``say`` is told about progress, one line at a time."""
        self._corpus = corpus
        self._entrants = list(entrants)
        self._options = options
        self._say = say
        self._measured = {entrant.name: Measured(entrant.name) for entrant in entrants}
        self._slices = _slices([clip.samples for clip in corpus.clips], options.timed_s)

    def measure(self, skipped: dict[str, str], reference_ids: list[list[int]] | None) -> Results:
        """Measure everything.

        Args:
            skipped: contenders that are not here, with the reason, for the record.
            reference_ids: token ids to agree with where NeMo does not take part.
        """
        machine = describe_machine()
        with contextlib.ExitStack() as stack:
            children = self._start(stack)
            for number in range(self._options.rounds):
                for batch in BATCHES:
                    self._speed(children, batch)
                self._say(f"round {number + 1} of {self._options.rounds}: speed")
            reference = self._accuracy(children, reference_ids)
        with contextlib.ExitStack() as stack:
            children = self._start(stack, threads=1)
            for number in range(self._options.rounds):
                self._features(children)
                self._say(f"round {number + 1} of {self._options.rounds}: features on one core")
        self._cold()
        self._memory()
        return Results(
            date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
            machine=machine,
            threads=self._options.threads,
            rounds=self._options.rounds,
            corpus=self._corpus.name,
            utterances=len(self._corpus.clips),
            duration_s=self._corpus.duration_s,
            timed_s=sum(map(self._audio_s, self._slices)),
            model=self._entrants[0].model.name if self._entrants else "",
            reference=reference,
            measured=list(self._measured.values()),
            skipped=skipped,
        )

    def _start(self, stack: contextlib.ExitStack, threads: int | None = None) -> list[Child]:
        """Everybody's process, loaded and warm."""
        children = []
        for entrant in self._entrants:
            job = replace(self._job("serve"), threads=threads or self._options.threads)
            child = stack.enter_context(Child(entrant, job))
            ready = self._ask(child, None)
            if ready is not None:
                self._measured[entrant.name].versions = ready.versions
                children.append(child)
                self._say(f"{entrant.name}: ready after {time.monotonic() - child.started_s:.1f} s")
        return children

    def _speed(self, children: list[Child], batch: int) -> None:
        for child, wall_s, cpu_s, audio_s in self._take_turns(children, "speed", batch):
            one = self._measured[child.name]
            (one.rtfx_batch_1 if batch == 1 else one.rtfx_batch_16).append(audio_s / wall_s)
            (one.cpu_rtfx_batch_1 if batch == 1 else one.cpu_rtfx_batch_16).append(audio_s / cpu_s)
            one.cores.append(cpu_s / wall_s)

    def _features(self, children: list[Child]) -> None:
        for child, wall_s, _, audio_s in self._take_turns(children, "features", 1):
            self._measured[child.name].features_samples_per_s.append(audio_s * SAMPLE_RATE_HZ / wall_s)

    def _take_turns(
        self, children: list[Child], work: Work, batch: int
    ) -> Iterator[tuple[Child, float, float, float]]:
        """One round over all slices; each child with its seconds of wall, processor and audio."""
        wall_s = dict.fromkeys((child.name for child in children), 0.0)
        cpu_s = dict(wall_s)
        for number, rows in enumerate(self._slices):
            first = number % max(1, len(children))
            for child in children[first:] + children[:first]:
                answer = self._ask(child, Request(work, rows, batch))
                if answer is not None:
                    wall_s[child.name] += answer.wall_s
                    cpu_s[child.name] += answer.cpu_s
        audio_s = sum(map(self._audio_s, self._slices))
        for child in children:
            if not self._measured[child.name].error:
                yield child, wall_s[child.name], cpu_s[child.name], audio_s

    def _accuracy(self, children: list[Child], reference_ids: list[list[int]] | None) -> str:
        """Texts and ids of everybody on all clips; says what the ids are compared with."""
        order = sorted(range(len(self._corpus.clips)), key=lambda row: -self._corpus.clips[row].samples)
        texts = [self._corpus.clips[row].text for row in order]
        reference = None if reference_ids is None else [reference_ids[row] for row in order]
        source = "NeMo's token ids kept with the tests" if reference is not None else ""
        # NeMo first: the others are compared with it
        for child in sorted(children, key=lambda child: child.name != "nemo"):
            one = self._measured[child.name]
            for batch in BATCHES:
                answer = self._ask(child, Request("accuracy", order, batch))
                if answer is None:
                    break
                ids = [heard.ids for heard in answer.hypotheses]
                if child.name == "nemo" and batch == 1:
                    reference, source = ids, "NeMo in this run, one utterance at a time"
                one.wer.append(word_error_rate(texts, [heard.text for heard in answer.hypotheses]))
                if reference is not None:
                    found = agreement(reference, ids)
                    one.equal_utterances.append(found.equal)
                    one.token_error_rate.append(found.token_error_rate)
            self._say(f"{child.name}: accuracy")
        return source

    def _cold(self) -> None:
        clip = min(self._corpus.clips, key=lambda c: abs(c.samples / SAMPLE_RATE_HZ - COLD_CLIP_S))
        job = replace(self._job("cold"), clips=[clip])
        for number in range(self._options.cold_rounds + 1):
            for entrant in self._entrants:
                answer, started_s = self._once(entrant, job)
                if answer and number > 0:  # the first one fills the disk cache
                    cold_s = answer.first_transcript_at_s - started_s
                    self._measured[entrant.name].cold_start_s.append(cold_s)
        self._say("cold start")

    def _memory(self) -> None:
        clips = self._corpus.clips[:: max(1, len(self._corpus.clips) // MEMORY_CLIPS)]
        for _ in range(self._options.rounds):
            for entrant in self._entrants:
                answer, _ = self._once(entrant, replace(self._job("memory"), clips=clips))
                if answer:
                    self._measured[entrant.name].peak_resident_bytes.append(answer.peak_resident_bytes)
        self._say("memory")

    def _once(self, entrant: Entrant, job: Job) -> tuple[Answer | None, float]:
        """A process for one answer, and when it was started."""
        if self._measured[entrant.name].error:
            return None, 0.0
        with Child(entrant, job) as child:
            return self._ask(child, None), child.started_s

    def _ask(self, child: Child, request: Request | None) -> Answer | None:
        """The answer; nothing from a contender that failed, now or before."""
        measured = self._measured[child.name]
        if measured.error:
            return None
        try:
            return child.ask(request)
        except ChildError as error:
            measured.error = str(error)
            self._say(f"{child.name} failed and is left out from here on: {error}")
            return None

    def _job(self, mode: Mode) -> Job:
        corpus = self._corpus
        return Job("", mode, "", self._options.threads, str(corpus.pool.resolve()), corpus.clips)

    def _audio_s(self, rows: list[int]) -> float:
        return sum(self._corpus.clips[row].samples for row in rows) / SAMPLE_RATE_HZ


def _slices(samples: Sequence[int], timed_s: float) -> list[list[int]]:
    """Rows of similar length, longest first, :data:`SLICE_CLIPS` at a time."""
    rows = choose(range(len(samples)), [n / SAMPLE_RATE_HZ for n in samples], timed_s)
    rows = sorted(rows, key=lambda row: -samples[row])
    return [rows[i : i + SLICE_CLIPS] for i in range(0, len(rows), SLICE_CLIPS)]


def describe_machine() -> dict[str, str]:
    """Processor, cores, memory, system and load, as they are before the run."""
    processor = platform.processor() or platform.machine()
    for line in _lines(Path("/proc/cpuinfo")):
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
            break
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": processor,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory_bytes / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load before the run": f"{os.getloadavg()[0]:.1f}",
    }


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
