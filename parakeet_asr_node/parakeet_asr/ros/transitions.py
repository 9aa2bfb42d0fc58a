"""The service ``~/change_state``: loading keeps nobody waiting, a wrong request harms nobody.

rclpy calls transitions synchronously inside of the service, so that nothing else is answered meanwhile, and
in Humble and Jazzy a transition that the present state does not have ends the process with an exception.
Here the service is a coroutine in a callback group of its own: configure runs on another thread, whatever
kind of executor spins the node; the others are short, and run where all callbacks run.
"""

from __future__ import annotations

from typing import Any

from lifecycle_msgs.msg import Transition
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.ros.waiting import in_thread, result_of

_CONFIGURE = "configure"


def mend_change_state(node: LifecycleNode) -> None:
    """Put our answer before that of rclpy; one request at a time, in the order in which they come."""
    service: Any = getattr(node, "_service_change_state", None)  # its name from Galactic to Rolling
    if service is None:
        return
    change = service.callback

    async def answer(request: Any, response: Any) -> Any:
        try:
            if _configures(request.transition):
                return await result_of(node, in_thread(lambda: change(request, response), _CONFIGURE))
            return change(request, response)
        except RuntimeError as error:  # rclpy's RCLError
            node.get_logger().error(f"change_state is refused: {error}")
            response.success = False
            return response

    group = MutuallyExclusiveCallbackGroup()
    group.add_entity(service)
    service.callback, service.callback_group = answer, group


def _configures(transition: Transition) -> bool:
    """As rclpy reads it: a label goes before the number."""
    return bool(
        transition.label == _CONFIGURE
        if transition.label
        else transition.id == Transition.TRANSITION_CONFIGURE
    )
