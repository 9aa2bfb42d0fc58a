"""Every parameter of the node in one table; knows no ROS.

The node declares them from it, config/asr.yaml is tested against it, and

    python -m parakeet_asr.ros.parameters

prints it as the table of the README.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from parakeet_asr.core.choices import DEVICES, ENGINES, FALLBACKS
from parakeet_asr.core.duplex.options import ECHO_ACTIONS, MODES, DuplexOptions
from parakeet_asr.core.guard import GuardOptions
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.ros.duplex.settings import NO_MODE, duplex_options, duplex_sources
from parakeet_asr.sources.pcm import ALL_CHANNELS, ENCODINGS

Value = bool | int | float | str
Values = Mapping[str, Value]
TakenBy = Literal["start", "configure", "activate", "now"]
"""When a value is taken: "start" is read only, "now" is dynamic, the others wait for that transition."""
_TAKEN = {
    "start": "read only",
    "configure": "at configure",
    "activate": "at activate",
    "now": "at once",
}

_SESSION = SessionOptions()
_DUPLEX = DuplexOptions()
_GUARD = GuardOptions()
_VOICE_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # a token of a topic's name


@dataclass(frozen=True, slots=True)
class Parameter:
    """One row."""

    name: str
    default: Value  # its type is the parameter's type
    description: str
    taken_by: TakenBy
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def read_only(self) -> bool:
        """Whether only the command line or a file can set it."""
        return self.taken_by == "start"

    @property
    def dynamic(self) -> bool:
        """Whether a change takes effect while the node listens, without losing sound."""
        return self.taken_by == "now"

    @property
    def takes_effect(self) -> str:
        """When a change does, for people."""
        return _TAKEN[self.taken_by]

    @property
    def limits(self) -> str:
        """What it may be, for people."""
        if self.choices:
            return ", ".join(self.choices)
        if self.minimum is not None:
            return f"{self.minimum:g} to {self.maximum:g}"
        return {bool: "true, false", str: "any text"}.get(type(self.default), "")


# fmt: off
PARAMETERS = (
    Parameter("autostart", False,
              "configure and activate without being asked; for use without a launch file", "start"),
    Parameter("transcribe.folder", "",
              "folder below which service `~/transcribe` may read files; empty = none", "start"),
    Parameter("diagnostics.period_s", 1.0, "time between two diagnostics", "start", "s", 0.1, 60.0),
    Parameter("model", "demo",
              "name of a model that came with the package, or a path of a model directory or .nemo file",
              "configure"),
    Parameter("engine", "auto",
              "what runs the networks; auto = torch for a .nemo file, trt where engines were built, else ort",
              "configure", choices=ENGINES),
    Parameter("engine_fallback", "cpu",
              "where TensorRT cannot be used: cpu = ONNX Runtime, with the reason in diagnostics; error",
              "configure", choices=FALLBACKS),
    Parameter("engine_rebuild", False,
              "build TensorRT engines that are missing or do not fit this machine; takes minutes",
              "configure"),
    Parameter("device", "auto", "where the engine runs; auto = ort on the CPU, torch on CUDA if it is there",
              "configure", choices=DEVICES),
    Parameter("threads", 0, "threads of the engine; 0 = as many as cores", "configure", "", 0, 256),
    Parameter("guard.enabled", True,
              "decode speech again, alone, about which the decoder wrote nothing", "configure"),
    Parameter("guard.min_speech_s", _GUARD.min_speech_s,
              "speech that must be heard in a stretch without a word", "configure", "s", 0.1, 10.0),
    Parameter("guard.hole_s", _GUARD.hole_s,
              "shorter stretches without a word inside an utterance are pauses", "configure", "s", 0.2, 30.0),
    Parameter("audio.source", "topic", "where sound comes from", "activate",
              choices=("topic", "microphone", "file")),
    Parameter("audio.topic_type", "auto",
              "message type of the topic; auto = that of its publishers, also of later ones", "activate",
              choices=("auto", "parakeet_asr_msgs/msg/AudioChunk", "audio_common_msgs/msg/AudioData",
                       "audio_common_msgs/msg/AudioDataStamped", "audio_common_msgs/msg/AudioStamped",
                       "std_msgs/msg/Int16MultiArray")),
    Parameter("audio.encoding", "auto",
              "of AudioData, which does not say it; auto = that of audio_info, else S16LE", "activate",
              choices=("auto", *ENCODINGS)),
    Parameter("audio.channels", 0,
              "of AudioData and Int16MultiArray; 0 = that of audio_info or the array's layout, else 1",
              "activate", "", 0, 128),
    Parameter("audio.sample_rate", 0,
              "of AudioData and Int16MultiArray, in Hz; 0 = that of audio_info, else 16000",
              "activate", "", 0, 768_000),
    Parameter("audio.channel", ALL_CHANNELS,
              "the channel to listen to, from 0; -1 = the mean of all", "activate", "", -1, 127),
    Parameter("audio.device", "",
              "microphone: name, part of a name, or index; empty = the default device", "activate"),
    Parameter("audio.frame_id", "",
              "frame of the microphone, where the sound does not name one", "activate"),
    Parameter("audio.file", "", "file that source `file` plays once after activation", "activate"),
    Parameter("audio.realtime", True,
              "play the file at the speed of sound, else as fast as it is recognized", "activate"),
    Parameter("audio.publish_clock", False,
              "publish the file's time on /clock, for nodes that use simulated time", "activate"),
    Parameter("audio.capacity_s", 30.0,
              "sound that may wait for recognition; what exceeds it is dropped and reported",
              "activate", "s", 1.0, 600.0),
    Parameter("audio.gap_tolerance_s", _SESSION.gap_tolerance_s,
              "jitter of the stamps that is no gap", "now", "s", 0.001, 10.0),
    Parameter("vad.speech_threshold", _SESSION.speech_threshold,
              "probability at which a sound counts as speech", "now", "", 0.2, 0.99),
    Parameter("vad.min_speech_s", _SESSION.min_speech_s,
              "shorter sounds are no speech", "now", "s", 0.03, 5.0),
    Parameter("vad.energy_gate", _SESSION.energy_gate,
              "let the voice detector rest while nothing is louder than the room", "now"),
    Parameter("endpoint.silence_s", _SESSION.silence_s,
              "silence that ends an utterance", "now", "s", 0.1, 10.0),
    Parameter("endpoint.max_utterance_s", _SESSION.max_utterance_s,
              "longer utterances are cut at their calmest place", "now", "s", 2.0, 120.0),
    Parameter("endpoint.pre_roll_s", _SESSION.pre_roll_s,
              "sound kept before speech begins, against clipped onsets", "now", "s", 0.0, 2.0),
    Parameter("endpoint.post_roll_s", _SESSION.post_roll_s,
              "sound kept after speech ends", "now", "s", 0.0, 2.0),
    Parameter("partial.interval_s", _SESSION.partial_interval_s,
              "sound between partial transcripts; 0 = finals only", "now", "s", 0.0, 10.0),
    Parameter("partial.agreeing_looks", _SESSION.agreeing_looks,
              "looks in a row that must agree before agreed_words counts a word; 0 = stable words only",
              "now", "", 0, 100),
    Parameter("live_speech.voice_id", "",
              "voice below /humans/voices (REP-155) that speaks what is heard, needs hri_msgs; empty = none",
              "activate"),
    Parameter("listen.timeout_s", 30.0,
              "longest time of a goal of action `listen` that sets none", "now", "s", 0.1, 3600.0),
    Parameter("window.left_s", _SESSION.left_s,
              "context before the sound that is decoded", "now", "s", 0.0, 60.0),
    Parameter("window.chunk_s", _SESSION.chunk_s,
              "sound whose words become stable at a time", "now", "s", 0.08, 30.0),
    Parameter("window.right_s", _SESSION.right_s,
              "context behind the sound whose words become stable", "now", "s", 0.0, 30.0),
    Parameter("window.final_s", _SESSION.final_window_s,
              "utterances up to this are decoded again as a whole for the final",
              "now", "s", 0.0, 120.0),
    Parameter("duplex.mode", NO_MODE,
              "while the robot speaks: none = listens as always, gate = hears nothing, "
              "filter = drops what is its echo, full = cancels its echo and filters", "now",
              choices=(NO_MODE, *MODES[1:])),
    Parameter("duplex.action", "", "an action whose goals make the robot speak; empty = none", "activate"),
    Parameter("duplex.speaking_topic", "",
              "std_msgs/Bool, true while the robot speaks; empty = none", "activate"),
    Parameter("duplex.text_topic", "",
              "std_msgs/String, what the robot is asked to say; empty = none", "activate"),
    Parameter("duplex.playback_topic", "",
              "audio of any type in docs/audio.md, what the loudspeaker plays; empty = none", "activate"),
    Parameter("duplex.tail_s", _DUPLEX.tail_s,
              "how long the room goes on sounding when the robot is silent", "now", "s", 0.0, 5.0),
    Parameter("duplex.watchdog_s", _DUPLEX.watchdog_s,
              "a source that says that the robot speaks and is not heard of for so long is dead",
              "now", "s", 1.0, 120.0),
    Parameter("duplex.longest_s", 60.0,
              "what says so for longer, once and without a break, hangs", "activate", "s", 1.0, 3600.0),
    Parameter("duplex.seconds_per_character", _DUPLEX.seconds_per_character,
              "length of speech of which only the text is known", "now", "", 0.01, 1.0),
    Parameter("echo.action", _DUPLEX.echo_action,
              "what becomes of an utterance that is the robot's own", "now", choices=ECHO_ACTIONS),
    Parameter("echo.window_s", _DUPLEX.echo_window_s,
              "how long after the robot spoke its words may be heard", "now", "s", 0.0, 30.0),
    Parameter("barge_in.enabled", _DUPLEX.barge_in,
              "publish when a person interrupts the robot (filter, full)", "now"),
    Parameter("barge_in.min_speech_s", _DUPLEX.min_speech_s,
              "speech of a person that interrupts", "now", "s", 0.0, 5.0),
    Parameter("barge_in.words", ",".join(_DUPLEX.words),
              "words that alone may interrupt, with commas between them; empty = any speech may", "now"),
    Parameter("barge_in.cancel_action", False,
              "who interrupts cancels the goal of duplex.action", "activate"),
)
# fmt: on
BY_NAME = {parameter.name: parameter for parameter in PARAMETERS}

# SessionOptions' fields and the parameters that set them.
_SESSION_PARAMETERS = {
    "gap_tolerance_s": "audio.gap_tolerance_s",
    "speech_threshold": "vad.speech_threshold",
    "min_speech_s": "vad.min_speech_s",
    "energy_gate": "vad.energy_gate",
    "silence_s": "endpoint.silence_s",
    "max_utterance_s": "endpoint.max_utterance_s",
    "pre_roll_s": "endpoint.pre_roll_s",
    "post_roll_s": "endpoint.post_roll_s",
    "partial_interval_s": "partial.interval_s",
    "agreeing_looks": "partial.agreeing_looks",
    "left_s": "window.left_s",
    "chunk_s": "window.chunk_s",
    "right_s": "window.right_s",
    "final_window_s": "window.final_s",
}


def check(values: Values) -> None:
    """Check all values, each by itself and together.

    Raises:
        ConfigurationError: naming the parameter, what was expected and what came.
    """
    for parameter in PARAMETERS:
        value = values[parameter.name]
        if parameter.choices and value not in parameter.choices:
            raise ConfigurationError(
                f"{parameter.name}: expected {' or '.join(parameter.choices)}, got {value!r}"
            )
    voice_id = str(values["live_speech.voice_id"])
    if voice_id and not _VOICE_ID.fullmatch(voice_id):
        raise ConfigurationError(
            f"live_speech.voice_id: expected letters, digits and underscores, got {voice_id!r}"
        )
    if values["audio.source"] == "file" and not values["audio.file"]:
        raise ConfigurationError("audio.file: expected the path of a file, because audio.source is 'file'")
    session_options(values)
    duplex_options(values)
    duplex_sources(values)


def session_options(values: Values) -> SessionOptions:
    """What a speech session wants to know.

    Raises:
        ConfigurationError: two values exclude each other.
    """
    given: dict[str, Any] = {field: values[name] for field, name in _SESSION_PARAMETERS.items()}
    return SessionOptions(**given)


def guard_options(values: Values) -> GuardOptions | None:
    """What the blank guard wants to know; None: there shall be none."""
    if not values["guard.enabled"]:
        return None
    return GuardOptions(
        min_speech_s=float(values["guard.min_speech_s"]), hole_s=float(values["guard.hole_s"])
    )


def markdown() -> str:
    """The table for people."""
    lines = [
        "| Parameter | Default | Unit | May be | Takes effect | What it does |",
        "|---|---|---|---|---|---|",
    ]
    for p in PARAMETERS:
        default = str(p.default).lower() if isinstance(p.default, bool) else repr(p.default).replace("'", '"')
        lines.append(
            f"| `{p.name}` | `{default}` | {p.unit} | {p.limits} | {p.takes_effect} | {p.description} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown())  # noqa: T201
