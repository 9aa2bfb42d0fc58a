"""The run itself: every measurement of every contender, rounds interleaved.

A round takes each contender once (A B C D, A B C D, ...), so that a slow minute of the machine is
shared by all instead of hitting one.
"""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from parakeet_asr_tools.benchmark.accuracy import agreement, word_error_rate
from parakeet_asr_tools.benchmark.corpus import Corpus
from parakeet_asr_tools.benchmark.job import Job, Mode, Outcome
from parakeet_asr_tools.benchmark.processes import ChildError, Entrant, run_job
from parakeet_asr_tools.benchmark.results import Measured, Results

BATCHES = (1, 16)
MEMORY_CLIPS = 40
COLD_CLIP_S = 4.0  # the utterance closest to this, a usual command


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How much is measured."""

    threads: int = 1
    rounds: int = 3
    cold_rounds: int = 5


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
        self._ids: dict[str, list[list[int]]] = {}

    def measure(self, skipped: dict[str, str], reference_ids: list[list[int]] | None) -> Results:
        """Measure everything.

        Args:
            skipped: contenders that are not here, with the reason, for the record.
            reference_ids: token ids to agree with where NeMo does not take part.
        """
        machine = describe_machine()
        self._accuracy()
        self._speed()
        self._cold()
        self._memory()
        reference = self._compare(reference_ids)
        return Results(
            date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
            machine=machine,
            threads=self._options.threads,
            rounds=self._options.rounds,
            corpus=self._corpus.name,
            utterances=len(self._corpus.clips),
            duration_s=self._corpus.duration_s,
            model=self._entrants[0].model.name if self._entrants else "",
            reference=reference,
            measured=list(self._measured.values()),
            skipped=skipped,
        )

    def _accuracy(self) -> None:
        for entrant in self._entrants:
            outcome = self._one(entrant, self._job("accuracy"))
            if outcome:
                self._measured[entrant.name].versions = outcome.versions
                self._ids[entrant.name] = [one.ids for one in outcome.hypotheses]

    def _speed(self) -> None:
        references = [clip.text for clip in self._corpus.clips]
        for _ in range(self._options.rounds):
            for batch in BATCHES:
                for entrant in self._entrants:
                    outcome = self._one(entrant, self._job("speed", batch))
                    if outcome and outcome.timing:
                        one = self._measured[entrant.name]
                        (one.rtfx_batch_1 if batch == 1 else one.rtfx_batch_16).append(outcome.timing.rtfx)
                        one.cores.append(outcome.timing.cores)
                        wer = word_error_rate(references, outcome.texts)
                        one.wer_batch_1, one.wer_batch_16 = (
                            (wer, one.wer_batch_16) if batch == 1 else (one.wer_batch_1, wer)
                        )
            for entrant in self._entrants:
                outcome = self._one(entrant, replace(self._job("features"), threads=1))
                if outcome and outcome.timing:
                    samples_per_s = sum(clip.samples for clip in self._corpus.clips) / outcome.timing.wall_s
                    self._measured[entrant.name].features_samples_per_s.append(samples_per_s)

    def _cold(self) -> None:
        clip = min(self._corpus.clips, key=lambda c: abs(c.samples / 16_000 - COLD_CLIP_S))
        job = replace(self._job("cold"), clips=[clip])
        for number in range(self._options.cold_rounds + 1):
            for entrant in self._entrants:
                outcome, started_s = self._timed(entrant, job)
                if outcome and number > 0:  # the first one fills the disk cache
                    cold_s = outcome.first_transcript_at_s - started_s
                    self._measured[entrant.name].cold_start_s.append(cold_s)

    def _memory(self) -> None:
        clips = self._corpus.clips[:: max(1, len(self._corpus.clips) // MEMORY_CLIPS)]
        for _ in range(self._options.rounds):
            for entrant in self._entrants:
                outcome = self._one(entrant, replace(self._job("memory"), clips=clips))
                if outcome:
                    self._measured[entrant.name].peak_resident_bytes.append(outcome.peak_resident_bytes)

    def _compare(self, reference_ids: list[list[int]] | None) -> str:
        reference = self._ids.get("nemo", reference_ids)
        if reference is None:
            return ""
        for name, ids in self._ids.items():
            found = agreement(reference, ids)
            self._measured[name].equal_utterances = found.equal
            self._measured[name].token_error_rate = found.token_error_rate
        return "NeMo in this run" if "nemo" in self._ids else "NeMo's token ids kept with the tests"

    def _job(self, mode: Mode, batch: int = 1) -> Job:
        corpus = self._corpus
        return Job("", mode, "", self._options.threads, str(corpus.pool.resolve()), corpus.clips, batch)

    def _one(self, entrant: Entrant, job: Job) -> Outcome | None:
        return self._timed(entrant, job)[0]

    def _timed(self, entrant: Entrant, job: Job) -> tuple[Outcome | None, float]:
        measured = self._measured[entrant.name]
        if measured.error:
            return None, 0.0
        try:
            mine = replace(job, contender=entrant.name, model=str(entrant.model.resolve()))
            outcome, started_s = run_job(entrant, mine)
        except ChildError as error:
            measured.error = str(error)
            self._say(f"{entrant.name}: {job.mode}: failed, left out from here on: {error}")
            return None, 0.0
        detail = f"{outcome.timing.rtfx:.0f} x real time" if outcome.timing else ""
        batch = f" batch {job.batch}" if job.mode == "speed" else ""
        self._say(f"{entrant.name}: {job.mode}{batch} {detail}".rstrip())
        return outcome, started_s


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
