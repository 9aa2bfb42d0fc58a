"""Write tests/data/nemo_losses.npz: what NeMo's losses and their gradients are for random logits.

    .venv/bin/python tests/parity/make_loss_data.py [NEMO_PYTHON]

Needs a NeMo (``make setup-peers``).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    python = sys.argv[1] if len(sys.argv) > 1 else str(ROOT / ".venv-peers" / "nemo" / "bin" / "python")
    script = Path(__file__).with_name("nemo_loss_reference.py")
    subprocess.run([python, str(script), str(ROOT / "tests" / "data" / "nemo_losses.npz"), "0"], check=True)


if __name__ == "__main__":
    main()
