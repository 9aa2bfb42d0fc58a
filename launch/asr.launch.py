"""Bring the recognizer up: `ros2 launch parakeet_asr asr.launch.py`.

Sound comes in on <namespace>/audio, transcripts go out on <namespace>/final. `--show-args` lists what
can be set; an argument that is left empty leaves the value of the parameter file. There are two kinds of
device, so neither is called just that: audio_device is a microphone, compute_device runs the networks.
"""

from __future__ import annotations

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import ExecutableInPackage, FindPackageShare
from lifecycle_msgs.msg import Transition

from launch import LaunchContext, LaunchDescription

ARGUMENTS = (
    ("namespace", "asr", "namespace of the node and its topics"),
    ("model", "", "name or path of a model directory"),
    ("engine", "", "what runs the networks: auto, ort, trt or torch"),
    ("compute_device", "", "where they run: auto, cpu or cuda (parameter device)"),
    ("audio_source", "", "topic, microphone or file"),
    ("audio_device", "", "microphone of source microphone: its name, a part of it, or its index"),
    ("audio_file", "", "audio file that source file plays"),
    ("audio_topic", "audio", "audio topic, of any type in docs/audio.md; a relative one is in the namespace"),
    ("autostart", "true", "configure and activate the node"),
    ("log_level", "info", "debug, info, warn or error"),
    ("use_sim_time", "false", "take the clock from /clock, as with a bag that is played"),
    ("list_devices", "false", "say which microphones there are, and start nothing"),
)
PARAMETERS = {
    "model": "model",
    "engine": "engine",
    "compute_device": "device",
    "audio_source": "audio.source",
    "audio_device": "audio.device",
    "audio_file": "audio.file",
}
TRUE = ("true", "1")
DUPLEX_PARAMETERS = {  # arguments of duplex.launch.py, which includes this file
    "duplex_mode": "duplex.mode",
    "duplex_action": "duplex.action",
    "duplex_speaking_topic": "duplex.speaking_topic",
    "duplex_text_topic": "duplex.text_topic",
    "duplex_playback_topic": "duplex.playback_topic",
    "barge_in_words": "barge_in.words",
}


def generate_launch_description() -> LaunchDescription:
    """Arguments, the node, and the transitions that make it active."""
    default_file = PathJoinSubstitution([FindPackageShare("parakeet_asr"), "config", "asr.yaml"])
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "params_file", default_value=default_file, description="parameters of the node"
            ),
            *(
                DeclareLaunchArgument(name, default_value=value, description=text)
                for name, value, text in ARGUMENTS
            ),
            OpaqueFunction(function=start),
        ]
    )


def start(context: LaunchContext) -> list:
    """What the arguments ask for."""
    if "device" in context.launch_configurations:  # undeclared ones would be ignored in silence
        raise RuntimeError("device: say audio_device for a microphone, compute_device for cpu or cuda")
    if LaunchConfiguration("list_devices").perform(context).lower() in TRUE:
        program = ExecutableInPackage(package="parakeet_asr", executable="parakeet-asr")
        return [ExecuteProcess(cmd=[program, "devices"], output="screen")]
    return start_node(context)


def start_node(context: LaunchContext) -> list:
    """The node with the parameters that were given, and its way to active."""
    given = {
        name: LaunchConfiguration(argument, default="").perform(context)
        for argument, name in {**PARAMETERS, **DUPLEX_PARAMETERS}.items()
    }
    use_sim_time = LaunchConfiguration("use_sim_time").perform(context).lower() in TRUE
    node = LifecycleNode(
        package="parakeet_asr",
        executable="asr_node",
        name="parakeet_asr",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("params_file"),
            {**_texts(given), "use_sim_time": use_sim_time},
        ],
        remappings=[("audio", LaunchConfiguration("audio_topic"))],
        arguments=["--ros-args", "--log-level", LaunchConfiguration("log_level")],
        output="screen",
    )
    autostart = IfCondition(LaunchConfiguration("autostart"))
    configure = OnProcessStart(
        target_action=node, on_start=[_transition(node, Transition.TRANSITION_CONFIGURE)]
    )
    activate = OnStateTransition(
        target_lifecycle_node=node,
        start_state="configuring",  # not "deactivating": who deactivates it wants it inactive
        goal_state="inactive",
        entities=[_transition(node, Transition.TRANSITION_ACTIVATE)],
    )
    return [
        RegisterEventHandler(configure, condition=autostart),
        RegisterEventHandler(activate, condition=autostart),
        node,
    ]


def _texts(given: dict[str, str]) -> dict:
    """Text, also where it looks like a number: a microphone may be called 3."""
    return {name: ParameterValue(value, value_type=str) for name, value in given.items() if value}


def _transition(node: LifecycleNode, transition: int) -> EmitEvent:
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))
