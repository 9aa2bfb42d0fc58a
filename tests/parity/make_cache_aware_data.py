"""Write tests/data/cache_aware_{tdt,rnnt}.npz: what NeMo's cache-aware streaming gives for the made models.

    .venv/bin/python tests/parity/make_cache_aware_data.py [NEMO_PYTHON]

Needs the tools and a NeMo (``make setup-peers``). To be run again when the random weights change.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))

from made_models import cache_aware_archive, speech  # noqa: E402  # found there

FRAMES = 9 + 38 * 16 + 5  # 40 chunks, of which the last has 5 frames of 16
DECODERS = ("tdt", "rnnt")


def main() -> None:
    python = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".venv-peers" / "nemo" / "bin" / "python")
    script = Path(__file__).with_name("nemo_stream_reference.py")
    for decoder in DECODERS:
        with tempfile.TemporaryDirectory() as folder:
            samples = Path(folder) / f"cache_aware_{decoder}.npy"
            np.save(samples, speech()[: FRAMES * 160])
            out = str(ROOT / "tests" / "data")
            command = [python, str(script), str(cache_aware_archive(decoder)), out, str(samples)]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
