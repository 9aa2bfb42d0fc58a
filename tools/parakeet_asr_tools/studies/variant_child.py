"""One variant in a fresh process: ``python -m parakeet_asr_tools.studies.variant_child DIRECTORY EVERY``.

Nothing of the tools that make variants is imported, so that memory is that of recognizing alone.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from parakeet_asr.loader import load_model
from parakeet_asr.records import SAMPLE_RATE_HZ
from parakeet_asr_tools.benchmark.child import peak_resident_bytes
from parakeet_asr_tools.studies.speech import read_speech


def measure(directory: Path, every: int, speech: Path | None) -> dict[str, object]:
    """What the process heard, how long it computed and what memory it had, in MB."""
    with load_model(directory, device="cpu", threads=1, guard=None) as model:
        model.warm_up()
        loaded_mb = peak_resident_bytes() / 1e6
        audio = [one.samples for one in read_speech(speech, every)]
        started_s = time.process_time()
        heard = [model.transcribe(samples) for samples in audio]
        compute_s = time.process_time() - started_s
        # the recordings themselves are in the process, too
        audio_mb = sum(samples.nbytes for samples in audio) / 1e6
        return {
            "texts": [one.text for one in heard],
            "tokens": [one.token_ids for one in heard],
            "rtfx": sum(map(len, audio)) / SAMPLE_RATE_HZ / compute_s,
            "loaded_mb": loaded_mb,
            "peak_mb": peak_resident_bytes() / 1e6 - audio_mb,
        }


if __name__ == "__main__":
    folder = Path(sys.argv[3]) if len(sys.argv) > 3 else None
    json.dump(measure(Path(sys.argv[1]), int(sys.argv[2]), folder), sys.stdout)
