"""The exception tree.

::

    ParakeetError                    everything this package raises on purpose
     +-- AudioError                  sound that cannot be used
     |    +-- AudioReadError         a file or stream that cannot be decoded
     |    +-- AudioFormatError       a rate, channel count or encoding that is not supported
     +-- ModelError                  a model that cannot be used
     |    +-- ModelNotFoundError     no model of that name or at that path
     |    +-- ModelContractError     model.json and a graph (or its own fields) disagree
     |    +-- ModelIntegrityError    a file is missing or its sha256 differs
     |    +-- ArchiveError           a .nemo archive that is damaged, unsafe or not understood
     +-- EngineError                 an inference engine cannot be created or failed while running
     +-- ConfigurationError          a parameter outside of its range, or two that exclude each other
     +-- WorkerError                 the recognition thread died

Every message says what was expected, what came, and what to do.
"""

from __future__ import annotations


class ParakeetError(Exception):
    """Root of every error raised on purpose by this package."""


class AudioError(ParakeetError):
    """Sound that cannot be used."""


class AudioReadError(AudioError):
    """A file or stream that cannot be decoded."""


class AudioFormatError(AudioError):
    """A sample rate, channel count or encoding that is not supported."""


class ModelError(ParakeetError):
    """A model that cannot be used."""


class ModelNotFoundError(ModelError):
    """No model of that name or at that path."""


class ModelContractError(ModelError):
    """model.json disagrees with a graph, or with itself."""


class ModelIntegrityError(ModelError):
    """A file of the model is missing or was altered."""


class ArchiveError(ModelError):
    """A .nemo archive that is damaged, unsafe or not understood."""


class EngineError(ParakeetError):
    """An inference engine cannot be created, or failed while running."""


class ConfigurationError(ParakeetError):
    """A parameter is outside of its range, or two parameters exclude each other."""


class WorkerError(ParakeetError):
    """The recognition thread died; the cause is chained."""
