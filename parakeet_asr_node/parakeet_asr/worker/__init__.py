"""One thread that owns the model and the session; everybody else only puts things into its queues.

Sound and commands are done in the order in which they came. Tasks, which need the model for longer (a
recording is transcribed), are done when no sound waits, and let sound go first again and again.
"""

from parakeet_asr.worker.jobs import WorkerStats
from parakeet_asr.worker.thread import Publish, Worker

__all__ = ["Publish", "Worker", "WorkerStats"]
