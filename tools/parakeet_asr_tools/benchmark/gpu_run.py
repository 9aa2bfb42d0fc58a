"""The run of ``bench-gpu``: everybody loaded and warm on one card, taking turns."""

from __future__ import annotations

import contextlib
import datetime
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from parakeet_asr.core.spectrum import HOP_SAMPLES
from parakeet_asr.records import SAMPLE_RATE_HZ
from parakeet_asr_tools.benchmark.accuracy import agreement
from parakeet_asr_tools.benchmark.corpus import Corpus
from parakeet_asr_tools.benchmark.gpu_results import GpuMeasured, GpuResults
from parakeet_asr_tools.benchmark.job import Answer, Job, Mode, Request
from parakeet_asr_tools.benchmark.processes import Child, ChildError, Entrant
from parakeet_asr_tools.benchmark.roofline import encoder_config, encoder_floor, measure_ceilings

WARM_ROUNDS = 2  # every shape twice: graphs are recorded at the second time
COLD_CLIP_S = 4.0


@dataclass(frozen=True, slots=True)
class GpuOptions:
    """How much is measured."""

    batches: tuple[int, ...] = (1, 32)
    rounds: int = 5
    cold_rounds: int = 3


class GpuRun:
    """One run over a corpus."""

    def __init__(
        self,
        corpus: Corpus,
        entrants: Sequence[Entrant],
        nemo_file: Path,
        options: GpuOptions,
        say: Callable[[str], None],
    ) -> None:
        """Prepare; ``say`` is told about progress, one line at a time."""
        self._corpus, self._entrants, self._nemo_file = corpus, list(entrants), nemo_file
        self._options, self._say = options, say
        self._measured = {entrant.name: GpuMeasured(entrant.name) for entrant in entrants}

    def measure(self, skipped: dict[str, str]) -> GpuResults:
        """Measure everything."""
        self._cold()
        ids: dict[str, list[list[int]]] = {}
        with contextlib.ExitStack() as stack:
            children = self._start(stack)
            for number in range(WARM_ROUNDS + self._options.rounds):
                self._speed(children, counted=number >= WARM_ROUNDS)
                self._say(f"round {number + 1} of {WARM_ROUNDS} + {self._options.rounds}")
            for child in children:
                self._stages(child)
                answer = self._ask(child, Request("accuracy", self._rows, max(self._options.batches)))
                if answer is not None:
                    ids[child.name] = [one.ids for one in answer.hypotheses]
        reference = self._agree(ids)
        ceilings, config = measure_ceilings(), encoder_config(self._nemo_file)
        floors = {
            str(batch): 1000 * encoder_floor(config, batch, self._frames(batch), ceilings).floor_s
            for batch in self._options.batches
        }
        return GpuResults(
            date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
            machine=_machine(),
            model=self._nemo_file.stem,
            utterances=len(self._corpus.clips),
            duration_s=self._corpus.duration_s,
            rounds=self._options.rounds,
            reference=reference,
            copy_tb_per_s=ceilings.copy_bytes_per_s / 1e12,
            float16_tflop_per_s=ceilings.float16_flop_per_s / 1e12,
            floors_ms=floors,
            stage_audio_s={
                str(batch): self._audio_s(self._stage_rows(batch)) for batch in self._options.batches
            },
            measured=list(self._measured.values()),
            skipped=skipped,
        )

    @property
    def _rows(self) -> list[int]:
        """All utterances, the longest first: a batch then holds such of similar length."""
        return sorted(range(len(self._corpus.clips)), key=lambda row: -self._corpus.clips[row].samples)

    def _stage_rows(self, batch: int) -> list[int]:
        """The batch in the middle of all lengths."""
        first = max(0, (len(self._rows) - batch) // 2)
        return self._rows[first : first + batch]

    def _frames(self, batch: int) -> int:
        return max(self._corpus.clips[row].samples for row in self._stage_rows(batch)) // HOP_SAMPLES

    def _audio_s(self, rows: Sequence[int]) -> float:
        return sum(self._corpus.clips[row].samples for row in rows) / SAMPLE_RATE_HZ

    def _start(self, stack: contextlib.ExitStack) -> list[Child]:
        children = []
        for entrant in self._entrants:
            if self._measured[entrant.name].error:
                continue
            child = stack.enter_context(Child(entrant, self._job("serve")))
            ready = self._ask(child, None)
            if ready is not None:
                self._measured[entrant.name].versions = ready.versions
                children.append(child)
                self._say(f"{entrant.name}: ready after {time.monotonic() - child.started_s:.1f} s")
        return children

    def _speed(self, children: list[Child], *, counted: bool) -> None:
        for batch in self._options.batches:
            for child in children:
                answer = self._ask(child, Request("speed", self._rows, batch))
                if answer is not None and counted:
                    rtfx = self._measured[child.name].rtfx.setdefault(str(batch), [])
                    rtfx.append(self._corpus.duration_s / answer.wall_s)
                    self._say(f"{child.name}, batch {batch}: RTFx {rtfx[-1]:.0f}")

    def _stages(self, child: Child) -> None:
        for batch in self._options.batches:
            answer = self._ask(child, Request("stages", self._stage_rows(batch)))
            if answer is not None and answer.stages_s:
                stages = {name: 1000 * seconds for name, seconds in answer.stages_s.items()}
                self._measured[child.name].stages_ms[str(batch)] = stages

    def _cold(self) -> None:
        for number in range(self._options.cold_rounds):
            for entrant in self._entrants:
                if self._measured[entrant.name].error:
                    continue
                with Child(entrant, self._job("cold")) as child:
                    answer = self._ask(child, None)
                    if answer is not None:
                        cold_s = answer.first_transcript_at_s - child.started_s
                        self._measured[entrant.name].cold_s.append(cold_s)
            self._say(f"cold start, round {number + 1} of {self._options.cold_rounds}")

    def _agree(self, ids: dict[str, list[list[int]]]) -> str:
        """Compare with a peer in the highest precision there is, and say with whom."""
        if not ids:
            return "nobody"
        order = ("parakeet_asr_gpu:ort", "parakeet_asr_gpu:torch-float32", "nemo_gpu:float16")
        reference = next((name for name in order if name in ids), next(iter(ids)))
        for name, mine in ids.items():
            one = self._measured[name]
            one.tokens = sum(map(len, mine))
            one.same_tokens = agreement(ids[reference], mine).equal
        return reference

    def _ask(self, child: Child, request: Request | None) -> Answer | None:
        try:
            return child.ask(request)
        except ChildError as error:
            self._measured[child.name].error = str(error).splitlines()[-1]
            self._say(f"{child.name} failed: {error}")
            return None

    def _job(self, mode: Mode) -> Job:
        clips = self._corpus.clips
        if mode == "cold":
            clips = [min(clips, key=lambda clip: abs(clip.samples / SAMPLE_RATE_HZ - COLD_CLIP_S))]
        return Job("", mode, "", 4, str(self._corpus.pool), clips)


def _machine() -> dict[str, str]:
    properties = torch.cuda.get_device_properties(0)
    return {
        "GPU": f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB",
        "PyTorch": str(torch.__version__),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
