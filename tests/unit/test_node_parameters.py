"""The table of the node's parameters, config/asr.yaml and the README say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parakeet_asr.core.guard import GuardOptions
from parakeet_asr.core.profiles import profile
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.ros.parameters import PARAMETERS, check, guard_options, markdown, session_options

DEFAULTS = {parameter.name: parameter.default for parameter in PARAMETERS}


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in tree.items():
        values |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return values


def test_the_configuration_file_has_every_parameter_with_its_default_and_type(root: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (written,) = yaml.safe_load((root / "config/asr.yaml").read_text(encoding="utf-8")).values()
    values = flat(written["ros__parameters"])
    assert values == DEFAULTS
    assert {name: type(value) for name, value in values.items()} == {
        name: type(value) for name, value in DEFAULTS.items()
    }


def test_the_nano_file_is_the_nano_profile(root: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (written,) = yaml.safe_load((root / "config/nano.yaml").read_text(encoding="utf-8")).values()
    assert session_options(DEFAULTS | flat(written["ros__parameters"])) == profile("nano")


@pytest.mark.parametrize(
    "name", ["laptop", "orin_nano", "agx_orin", "nano", "duplex", "low_memory", "ultra_low_memory"]
)
def test_the_files_for_machines_hold_parameters_that_may_be(root: Path, name: str) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (written,) = yaml.safe_load((root / f"config/{name}.yaml").read_text(encoding="utf-8")).values()
    values = flat(written["ros__parameters"])
    assert set(values) <= set(DEFAULTS)
    for key, value in values.items():
        row = next(parameter for parameter in PARAMETERS if parameter.name == key)
        assert type(value) is type(row.default), key
        assert row.minimum is None or row.minimum <= value <= (row.maximum or value), key
    check(DEFAULTS | values)


def test_the_orin_nano_listens_as_the_nano_profile(root: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    (written,) = yaml.safe_load((root / "config/orin_nano.yaml").read_text(encoding="utf-8")).values()
    assert session_options(DEFAULTS | flat(written["ros__parameters"])) == profile("nano")


def test_the_configuration_file_names_the_unit_of_every_number_that_has_one(root: Path) -> None:
    lines = (root / "config/asr.yaml").read_text(encoding="utf-8").splitlines()
    for parameter in (p for p in PARAMETERS if p.unit):
        last = parameter.name.rsplit(".", 1)[-1]
        rows = [line for line in lines if line.strip().startswith(f"{last}:")]
        assert rows, last
        assert f"# {parameter.unit}" in rows[0]


def test_defaults_are_within_their_limits_and_fit_together() -> None:
    check(DEFAULTS)
    for parameter in PARAMETERS:
        if parameter.minimum is not None and parameter.maximum is not None:
            assert isinstance(parameter.default, int | float)
            assert parameter.minimum <= parameter.default <= parameter.maximum


def test_names_are_unique_and_carry_their_unit() -> None:
    names = [parameter.name for parameter in PARAMETERS]
    assert len(set(names)) == len(names)
    assert all(p.name.endswith(f"_{p.unit}") for p in PARAMETERS if p.unit)


def test_defaults_give_the_session_its_own_defaults() -> None:
    assert session_options(DEFAULTS) == SessionOptions()
    assert guard_options(DEFAULTS) == GuardOptions()


def test_the_guard_is_tuned_and_taken_away() -> None:
    tuned = guard_options({**DEFAULTS, "guard.min_speech_s": 0.8, "guard.hole_s": 2.5})
    assert tuned == GuardOptions(min_speech_s=0.8, hole_s=2.5)
    assert guard_options({**DEFAULTS, "guard.enabled": False}) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "tpu"}, "device: expected auto or cpu or cuda, got 'tpu'"),
        ({"audio.source": "file"}, "audio.file: expected the path"),
        ({"endpoint.max_utterance_s": 2.0, "endpoint.silence_s": 1.5}, "max_utterance_s"),
    ],
)
def test_values_that_cannot_be_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check({**DEFAULTS, **change})


def test_the_readme_has_the_table(root: Path) -> None:
    readme = root / "README.md"
    if not readme.is_file():
        pytest.skip("there is no README yet")
    assert markdown() in readme.read_text(encoding="utf-8"), "paste: python -m parakeet_asr.ros.parameters"


@pytest.mark.parametrize("name", ["asr", "low_memory", "ultra_low_memory"])
def test_what_bounded_turns_cost_was_measured_with_the_files_as_they_are(root: Path, name: str) -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    turns = pytest.importorskip("parakeet_asr_tools.studies.turns", reason="the tools are not installed")
    (written,) = yaml.safe_load((root / f"config/{name}.yaml").read_text(encoding="utf-8")).values()
    options = session_options(DEFAULTS | flat(written["ros__parameters"]))
    measured = turns.PROFILES[name]
    assert {key: getattr(options, key) for key in measured} == measured
