"""Declares the table of parameters on a node and says no to changes that would do nothing or harm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import ParameterException
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.ros.parameters import BY_NAME, PARAMETERS, Parameter, Value, Values, check


class ParameterServer:
    """The node's parameters."""

    def __init__(
        self,
        node: LifecycleNode,
        in_use: Callable[[Parameter], str],
        apply: Callable[[Values], None],
    ) -> None:
        """Declare all parameters.

        Args:
            node: where they are declared.
            in_use: why a parameter cannot be changed now; empty when it can.
            apply: takes all values after a change of dynamic ones; a ConfigurationError refuses the change.

        Raises:
            ConfigurationError: a value given at the start has the wrong type or is out of range.
        """
        self._node = node
        self._in_use = in_use
        self._apply = apply
        for parameter in PARAMETERS:
            _declare(node, parameter)
        node.add_on_set_parameters_callback(self._on_set)

    def values(self) -> dict[str, Value]:
        """All values, checked.

        Raises:
            ConfigurationError: see :func:`parakeet_asr.ros.parameters.check`.
        """
        values = self._present()
        check(values)
        return values

    def _present(self) -> dict[str, Value]:
        return {p.name: self._node.get_parameter(p.name).value for p in PARAMETERS}

    def _on_set(self, changes: list[Any]) -> SetParametersResult:
        ours = {change.name: change.value for change in changes if change.name in BY_NAME}
        for name in ours:
            if reason := self._in_use(BY_NAME[name]):
                return SetParametersResult(successful=False, reason=f"{name}: {reason}")
        values = {**self._present(), **ours}
        try:
            check(values)
            if any(BY_NAME[name].dynamic for name in ours):
                self._apply(
                    values
                )  # here, for Humble knows no callback after it; ranges were looked at before
        except ConfigurationError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)


def _declare(node: LifecycleNode, parameter: Parameter) -> None:
    try:
        node.declare_parameter(parameter.name, parameter.default, _descriptor(parameter))
    except (ParameterException, ValueError) as error:
        raise ConfigurationError(f"{parameter.name}: {error}") from error


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    unit = f" [{parameter.unit}]" if parameter.unit else ""
    descriptor = ParameterDescriptor(
        description=parameter.description + unit,
        additional_constraints=parameter.limits,
        read_only=parameter.read_only,
    )
    if parameter.minimum is not None and parameter.maximum is not None:
        low, high = parameter.minimum, parameter.maximum
        if isinstance(parameter.default, float):
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
        else:
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high), step=1)]
    return descriptor
