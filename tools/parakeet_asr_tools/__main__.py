"""``python -m parakeet_asr_tools``."""

import sys

from parakeet_asr_tools.cli import main

sys.exit(main())
