"""What exists while the node listens, and what people have switched."""

from __future__ import annotations

from dataclasses import dataclass

from parakeet_asr.core.duplex.session import DuplexSession
from parakeet_asr.ros.duplex.duplex import Duplex
from parakeet_asr.ros.intake import Intake
from parakeet_asr.ros.live_speech import LiveSpeech
from parakeet_asr.ros.parameters import Values
from parakeet_asr.ros.source_reports import SourceReports
from parakeet_asr.sources.source import AudioSource


@dataclass(slots=True)
class Switches:
    """What people have switched; remembered over lifecycle transitions, for who mutes means it."""

    enabled: bool = True
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Hearing:
    """What exists between activate and deactivate."""

    values: Values  # all parameters, as they were at activation
    session: DuplexSession
    source: AudioSource
    intake: Intake
    reports: SourceReports
    duplex: Duplex
    live_speech: LiveSpeech | None  # where somebody wants REP-155
