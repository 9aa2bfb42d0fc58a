"""What runs in a contender's own process.

Called as ``python -m parakeet_asr_tools.benchmark.child JOB.json`` and answers on the stream that was
its standard output: one line of JSON when the job is done, or, when the job is to serve, one line when
the model is loaded and warm and one for every request on standard input. Whatever a framework prints
goes to standard error.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TextIO

import numpy as np

from parakeet_asr_tools.benchmark.contenders import Contender, FloatArray, Staged, create
from parakeet_asr_tools.benchmark.job import Answer, Clip, Job, Request
from parakeet_asr_tools.process_memory import peak_resident_bytes

WARM_UP_CLIPS = 16  # spread over all lengths: every kernel and allocator has seen its sizes


def main() -> None:
    """Run the job named on the command line."""
    answers = _claim_stdout()
    job = Job.read(Path(sys.argv[1]))
    contender = create(job.contender)
    contender.load(job.model, job.threads)
    if job.mode == "serve":
        serve(contender, job, answers)
    else:
        answer = measure_cold(contender, job) if job.mode == "cold" else measure_memory(contender, job)
        _send(answers, answer)


def measure_cold(contender: Contender, job: Job) -> Answer:
    """When the first transcript was there; the orchestrator knows when the process was started."""
    contender.transcribe([read_clip(job, job.clips[0])])
    return Answer(first_transcript_at_s=time.monotonic())


def measure_memory(contender: Contender, job: Job) -> Answer:
    """Peak resident memory after all clips, one at a time, none of them kept."""
    for clip in job.clips:
        contender.transcribe([read_clip(job, clip)])
    return Answer(peak_resident_bytes=peak_resident_bytes())


def serve(contender: Contender, job: Job, answers: TextIO) -> None:
    """Do what standard input asks for until it ends; all audio is in memory before the first answer."""
    audio = [read_clip(job, clip) for clip in job.clips]
    for samples in audio[:: max(1, len(audio) // WARM_UP_CLIPS)]:
        contender.transcribe([samples])
        contender.features(samples)
    _send(answers, Answer(versions=contender.versions()))
    for line in sys.stdin:
        request = Request.from_json(line)
        _send(answers, work(contender, request, [audio[row] for row in request.rows]))


def work(contender: Contender, request: Request, audio: list[FloatArray]) -> Answer:
    """One request on the audio of its rows."""
    groups = [audio[i : i + request.batch] for i in range(0, len(audio), request.batch)]
    if request.work == "accuracy":
        return Answer(hypotheses=[heard for group in groups for heard in contender.transcribe_ids(group)])
    if request.work == "stages":
        if not isinstance(contender, Staged):
            return Answer()
        contender.stages(audio)  # shapes that were not there yet
        contender.stages(audio)
        return Answer(stages_s=contender.stages(audio))
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    if request.work == "speed":
        for group in groups:
            contender.transcribe(group)
    else:
        for samples in audio:
            contender.features(samples)
    return Answer(wall_s=time.perf_counter() - wall_s, cpu_s=time.process_time() - cpu_s)


def read_clip(job: Job, clip: Clip) -> FloatArray:
    """The samples of one clip, [n] float32."""
    item_bytes = np.dtype(np.float32).itemsize
    return np.fromfile(job.pool, np.float32, clip.samples, offset=clip.offset_samples * item_bytes)


def _claim_stdout() -> TextIO:
    """Keep standard output for the answers and send everything else that is printed to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _send(answers: TextIO, answer: Answer) -> None:
    answers.write(answer.to_json() + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
