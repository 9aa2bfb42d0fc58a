"""The message types that are understood, imported when a publisher has them and not before.

Two packages are called audio_common_msgs and cannot be installed together: the one of ros-drivers
(AudioData, AudioDataStamped) and the one of mgonzs13 (AudioStamped). What is installed is told apart by
the fields of its messages.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from parakeet_asr.errors import AudioFormatError
from parakeet_asr.ros.audio_readers import (
    ArrayReader,
    AudioReader,
    ChunkReader,
    DataReader,
    Declared,
    StampedReader,
)

OUR_TYPE = "parakeet_asr_msgs/msg/AudioChunk"
INFO_TYPE = "audio_common_msgs/msg/AudioInfo"


@dataclass(frozen=True, slots=True)
class _Kind:
    fields: frozenset[str]  # that tell the family
    reader: Callable[[Declared], AudioReader]
    origin: str  # where the package comes from, for people


_ROS_DRIVERS = "github.com/ros-drivers/audio_common (sudo apt install ros-$ROS_DISTRO-audio-common-msgs)"
_MGONZS13 = "github.com/mgonzs13/audio_common (build it in the workspace)"
_KINDS = {
    OUR_TYPE: _Kind(frozenset({"encoding", "data"}), ChunkReader, "this project"),
    "audio_common_msgs/msg/AudioData": _Kind(frozenset({"data"}), DataReader, _ROS_DRIVERS),
    "audio_common_msgs/msg/AudioDataStamped": _Kind(frozenset({"header", "audio"}), DataReader, _ROS_DRIVERS),
    "audio_common_msgs/msg/AudioStamped": _Kind(frozenset({"header", "audio"}), StampedReader, _MGONZS13),
    "std_msgs/msg/Int16MultiArray": _Kind(frozenset({"layout", "data"}), ArrayReader, "ROS 2 itself"),
}
TYPE_NAMES = tuple(_KINDS)


def choose_type(offered: Sequence[str], current: str) -> str:
    """Choose the type to listen to.

    Args:
        offered: types of the topic's publishers, in any order.
        current: what is listened to now; kept while somebody publishes it.

    Returns:
        A type of :data:`TYPE_NAMES`.

    Raises:
        AudioFormatError: there are publishers, and none has a type that is understood.
    """
    if not offered or current in offered:
        return current
    known = [name for name in TYPE_NAMES if name in offered]
    if not known:
        raise AudioFormatError(
            f"the publishers are of type {', '.join(sorted(set(offered)))}; "
            f"understood are {', '.join(TYPE_NAMES)}; convert the messages, or listen to another topic"
        )
    return known[0]


def open_type(name: str, declared: Declared) -> tuple[Any, AudioReader]:
    """Import a message class and make its reader.

    Raises:
        AudioFormatError: its package is not installed, or it is another one of the same name.
    """
    kind = _KINDS[name]
    return _message_class(name, kind.fields, kind.origin), kind.reader(declared)


def info_class() -> Any:
    """The AudioInfo of ros-drivers.

    Raises:
        AudioFormatError: as in :func:`open_type`.
    """
    return _message_class(INFO_TYPE, frozenset({"coding_format"}), _ROS_DRIVERS)


def _message_class(name: str, fields: frozenset[str], origin: str) -> Any:
    package, _, short = name.split("/")
    try:
        module = importlib.import_module(f"{package}.msg")
    except ImportError as error:
        raise AudioFormatError(
            f"the type {name} needs the package {package}, which is not installed where the node runs "
            f"({error}); get it from {origin} and source it before the node starts"
        ) from error
    message = getattr(module, short, None)
    if message is None or not fields <= set(message.get_fields_and_field_types()):
        raise AudioFormatError(
            f"the type {name} is not in the {package} that is installed where the node runs: it is another "
            f"package of the same name; this one comes from {origin}"
        )
    return message
