"""The service ``~/change_state``: no transition keeps anybody waiting, a wrong request harms nobody.

rclpy calls transitions synchronously inside of the service, so that nothing else is answered meanwhile, and
in Humble and Jazzy a transition that the present state does not have ends the process with an exception.
Here the service is a coroutine in a callback group of its own: configure runs on another thread, whatever
kind of executor spins the node; deactivate comes when the last words were heard, which is awaited; the others
are short. All but configure run where all callbacks run.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from lifecycle_msgs.msg import Transition
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.ros.waiting import in_thread, result_of

_CONFIGURE = "configure"
_DEACTIVATE = "deactivate"
_IDS = {_CONFIGURE: Transition.TRANSITION_CONFIGURE, _DEACTIVATE: Transition.TRANSITION_DEACTIVATE}


def mend_change_state(node: LifecycleNode, hear_out: Callable[[], Future[bool]]) -> None:
    """Put our answer before that of rclpy; one request at a time, in the order in which they come.

    Args:
        node: whose service it is.
        hear_out: takes no more sound; its future is done when what was said until then is published.
    """
    service: Any = getattr(node, "_service_change_state", None)  # its name from Galactic to Rolling
    if service is None:
        return
    change = service.callback

    async def answer(request: Any, response: Any) -> Any:
        try:
            if _means(request.transition, _CONFIGURE):
                return await result_of(node, in_thread(lambda: change(request, response), _CONFIGURE))
            if _means(request.transition, _DEACTIVATE):
                await result_of(node, hear_out())
            return change(request, response)
        except RuntimeError as error:  # rclpy's RCLError
            node.get_logger().error(f"change_state is refused: {error}")
            response.success = False
            return response

    group = MutuallyExclusiveCallbackGroup()
    group.add_entity(service)
    service.callback, service.callback_group = answer, group


def _means(transition: Transition, label: str) -> bool:
    """As rclpy reads it: a label goes before the number."""
    return bool(transition.label == label if transition.label else transition.id == _IDS[label])
