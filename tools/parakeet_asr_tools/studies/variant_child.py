"""One variant in a process of its own: ``python -m parakeet_asr_tools.studies.variant_child DIRECTORY``.

A line on standard output says that it is loaded; after that it answers every line on standard input, a list
of recordings, with what it heard. Nothing of the tools that make variants is imported, so that memory is that
of recognizing alone.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parakeet_asr.loader import Model, load_model
from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr_tools.process_memory import peak_resident_bytes, resident_bytes


def main(directory: Path) -> None:
    """Load the model and serve until standard input ends."""
    with load_model(directory, device="cpu", threads=1, guard=None) as model:
        model.warm_up()
        _answer({"loaded_mb": resident_bytes() / 1e6})
        for line in sys.stdin:
            _answer(hear(model, json.loads(line)))


def hear(model: Model, recordings: Sequence[str]) -> dict[str, Any]:
    """Texts, token ids and seconds of processor time per recording, and the process's memory.

    Afterwards, outside of these times, what the encoder says about the last recording [steps, width].
    """
    texts, tokens, compute_s = [], [], []
    for path in recordings:
        samples = read_audio(path)
        started_s = time.process_time()
        heard = model.transcribe(samples)
        compute_s.append(time.process_time() - started_s)
        texts.append(heard.text)
        tokens.append(heard.token_ids)
    memory = {"resident_mb": resident_bytes() / 1e6, "peak_mb": peak_resident_bytes() / 1e6}
    encoded = model.recognizer.encode([read_audio(recordings[-1])]).projected[0].tolist()
    return {"texts": texts, "tokens": tokens, "compute_s": compute_s, "encoded": encoded, **memory}


def _answer(found: dict[str, Any]) -> None:
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
