"""The services that switch listening; each answers at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parakeet_asr_msgs.srv import Finalize, Reset, SetEnabled, SetMuted, SetPhrases
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.core.phrases import DEFAULT_SCORE
from parakeet_asr.errors import ParakeetError
from parakeet_asr.ros.hearing import Switches
from parakeet_asr.ros.listener import Listener
from parakeet_asr.ros.listening_options import Phrases

NOT_LISTENING = "the node is not active"
NO_MODEL = "no model is loaded; configure the node first"


class Controls:
    """``~/set_enabled``, ``~/set_muted``, ``~/finalize``, ``~/reset`` and ``~/set_phrases``."""

    def __init__(
        self,
        node: LifecycleNode,
        switches: Switches,
        listener: Callable[[], Listener | None],
        on_switch: Callable[[], None],
    ) -> None:
        """Offer the services.

        Args:
            node: offers them.
            switches: what is remembered while there is no listener.
            listener: gives the one there is now.
            on_switch: called after a switch was asked for.
        """
        self._switches = switches
        self._listener = listener
        self._on_switch = on_switch
        self._services = [
            node.create_service(SetEnabled, "~/set_enabled", self._set_enabled),
            node.create_service(SetMuted, "~/set_muted", self._set_muted),
            node.create_service(Finalize, "~/finalize", self._finalize),
            node.create_service(Reset, "~/reset", self._reset),
            node.create_service(SetPhrases, "~/set_phrases", self._set_phrases),
        ]

    def _set_enabled(self, request: Any, response: Any) -> Any:
        listener = self._listener()
        try:
            if listener is None:
                self._switches.enabled = bool(request.enabled)
            else:
                listener.set_enabled(bool(request.enabled))
        except ParakeetError as error:
            return _refuse(response, str(error))
        self._on_switch()
        response.success = True
        response.message = self._summary()
        return response

    def _set_muted(self, request: Any, response: Any) -> Any:
        listener = self._listener()
        if listener is None:
            self._switches.muted = bool(request.muted)
        else:
            listener.set_muted(bool(request.muted))
        self._on_switch()
        response.success = True
        response.message = self._summary()
        return response

    def _summary(self) -> str:
        listener = self._listener()
        active = listener is not None and listener.hearing is not None
        return ", ".join(
            (
                "enabled" if self._switches.enabled else "not enabled",
                "muted" if self._switches.muted else "not muted",
                *(() if active else (f"remembered: {NOT_LISTENING}",)),
            )
        )

    def _finalize(self, request: Any, response: Any) -> Any:
        del request
        return self._command(response, Listener.finalize)

    def _reset(self, request: Any, response: Any) -> Any:
        del request
        return self._command(response, Listener.reset)

    def _command(self, response: Any, command: Callable[[Listener], None]) -> Any:
        listener = self._listener()
        if listener is None or listener.hearing is None:
            return _refuse(response, NOT_LISTENING)
        command(listener)
        response.success = True
        return response

    def _set_phrases(self, request: Any, response: Any) -> Any:
        listener = self._listener()
        if listener is None:
            return _refuse(response, NO_MODEL)
        phrases = Phrases(tuple(request.phrases), float(request.score) or DEFAULT_SCORE)
        try:
            skipped = listener.options.set_phrases(phrases)
        except ParakeetError as error:
            return _refuse(response, str(error))
        response.success = True
        response.skipped = [phrase.text for phrase in skipped]
        response.message = "; ".join(f"{phrase.text!r}: {phrase.reason}" for phrase in skipped)
        return response


def _refuse(response: Any, reason: str) -> Any:
    response.success = False
    response.message = reason
    return response
