"""Bring the recognizer up for a robot that talks: `ros2 launch parakeet_asr duplex.launch.py`.

asr.launch.py with config/duplex.yaml, and arguments for what tells that the robot speaks. `--show-args` lists
what can be set; an argument that is left empty leaves the value of the parameter file.
"""

from __future__ import annotations

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.substitutions import FindPackageShare

from launch import LaunchDescription

# Read by asr.launch.py, too.
ARGUMENTS = (
    ("duplex_mode", "none, gate, filter or full"),
    ("duplex_action", "an action whose goals make the robot speak, such as /say"),
    ("duplex_speaking_topic", "std_msgs/Bool, true while the robot speaks"),
    ("duplex_text_topic", "std_msgs/String, what the robot is asked to say"),
    ("duplex_playback_topic", "audio of any type in docs/audio.md: what the loudspeaker plays"),
    ("barge_in_words", "words that alone may interrupt, with commas between them"),
)


def generate_launch_description() -> LaunchDescription:
    """The arguments, and the recognizer with them."""
    share = FindPackageShare("parakeet_asr")
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file",
                default_value=PathJoinSubstitution([share, "config", "duplex.yaml"]),
                description="parameters of the node",
            ),
            *(DeclareLaunchArgument(name, default_value="", description=text) for name, text in ARGUMENTS),
            IncludeLaunchDescription(
                PythonLaunchDescriptionSource(PathJoinSubstitution([share, "launch", "asr.launch.py"])),
                launch_arguments={"params_file": LaunchConfiguration("params_file")}.items(),
            ),
        ]
    )
