"""Streaming speech recognition for robots.

>>> from parakeet_asr import load_model
>>> load_model("demo").transcribe("speech.wav").text
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parakeet_asr.errors import ParakeetError
from parakeet_asr.records import Transcription, Word

if TYPE_CHECKING:
    from parakeet_asr.loader import Model, load_model

__version__ = "0.1.0"
__all__ = ["Model", "ParakeetError", "Transcription", "Word", "__version__", "load_model"]


def __getattr__(name: str) -> Any:
    """Import the engine only when it is asked for: ``import parakeet_asr`` stays cheap."""
    if name in ("Model", "load_model"):
        from parakeet_asr import loader

        return getattr(loader, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
