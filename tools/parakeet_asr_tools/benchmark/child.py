"""What runs in a contender's own process: one job in, one line of JSON out.

Called as ``python -m parakeet_asr_tools.benchmark.child JOB.json OUTCOME.json``. The outcome goes to a
file because frameworks print to both streams as they like.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from parakeet_asr_tools.benchmark.contenders import Contender, FloatArray, create
from parakeet_asr_tools.benchmark.job import Clip, Job, Outcome, Timing

SAMPLE_RATE_HZ = 16_000
WARM_UP_CLIPS = 16  # spread over all lengths: every kernel and allocator has seen its sizes


def main() -> None:
    """Run the job named on the command line."""
    job = Job.read(Path(sys.argv[1]))
    contender = create(job.contender)
    start_s = time.monotonic()
    contender.load(job.model, job.threads)
    outcome = Outcome(load_s=time.monotonic() - start_s)
    MODES[job.mode](contender, job, outcome)
    outcome.versions = contender.versions()
    Path(sys.argv[2]).write_text(outcome.to_json(), encoding="utf-8")


def measure_cold(contender: Contender, job: Job, outcome: Outcome) -> None:
    """When the first transcript was there; the orchestrator knows when the process was started."""
    outcome.texts = contender.transcribe([read_clip(job, job.clips[0])])
    outcome.first_transcript_at_s = time.monotonic()


def measure_speed(contender: Contender, job: Job, outcome: Outcome) -> None:
    """One timed pass over all clips in batches of ``job.batch``, longest first."""
    audio = [read_clip(job, clip) for clip in job.clips]
    order = sorted(range(len(audio)), key=lambda row: -len(audio[row]))
    batches = [order[start : start + job.batch] for start in range(0, len(order), job.batch)]
    for rows in batches[:: max(1, len(batches) * job.batch // WARM_UP_CLIPS)]:
        contender.transcribe([audio[row] for row in rows])
    texts = [""] * len(audio)

    def run() -> None:
        for rows in batches:
            for row, text in zip(rows, contender.transcribe([audio[row] for row in rows]), strict=True):
                texts[row] = text

    outcome.timing = _time(run, job)
    outcome.texts = texts


def measure_features(contender: Contender, job: Job, outcome: Outcome) -> None:
    """One timed pass of the features alone, one utterance at a time."""
    audio = [read_clip(job, clip) for clip in job.clips]
    for samples in audio[:WARM_UP_CLIPS]:
        contender.features(samples)

    def run() -> None:
        for samples in audio:
            contender.features(samples)

    outcome.timing = _time(run, job)


def measure_memory(contender: Contender, job: Job, outcome: Outcome) -> None:
    """Peak resident memory after all clips, one at a time, none of them kept."""
    for clip in job.clips:
        contender.transcribe([read_clip(job, clip)])
    outcome.peak_resident_bytes = peak_resident_bytes()


def measure_accuracy(contender: Contender, job: Job, outcome: Outcome) -> None:
    """Text and token ids of every clip, one at a time; nothing is timed."""
    for clip in job.clips:
        outcome.hypotheses += contender.transcribe_ids([read_clip(job, clip)])


MODES: dict[str, Callable[[Contender, Job, Outcome], None]] = {
    "accuracy": measure_accuracy,
    "cold": measure_cold,
    "features": measure_features,
    "memory": measure_memory,
    "speed": measure_speed,
}


def read_clip(job: Job, clip: Clip) -> FloatArray:
    """The samples of one clip, [n] float32."""
    item_bytes = np.dtype(np.float32).itemsize
    return np.fromfile(job.pool, np.float32, clip.samples, offset=clip.offset_samples * item_bytes)


def peak_resident_bytes() -> int:
    """The highest resident set of this program.

    From ``VmHWM``, not from ``ru_maxrss``: Linux carries the latter over from the process that called
    ``exec``, so a child of a large orchestrator would report the orchestrator's size.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM line: peak memory is measured on Linux only")


def _time(run: Callable[[], None], job: Job) -> Timing:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    run()
    audio_s = sum(clip.samples for clip in job.clips) / SAMPLE_RATE_HZ
    return Timing(time.perf_counter() - wall_s, time.process_time() - cpu_s, audio_s)


if __name__ == "__main__":
    main()
