"""SpeexDSP's filter behind the protocol: it takes the echo out and leaves the person in."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("pyaec", reason="the extra `duplex` is not installed")

from parakeet_asr.engines.speex_aec import SpeexCanceller
from parakeet_asr.records import FloatArray


def through(canceller: SpeexCanceller, near: FloatArray, far: FloatArray) -> FloatArray:
    frames = [canceller.cancel(near[i : i + 160], far[i : i + 160]) for i in range(0, len(near), 160)]
    return np.concatenate(frames)


def power_db(samples: FloatArray) -> float:
    return float(10 * np.log10(np.mean(np.square(samples)) + 1e-12))


def test_an_echo_goes_and_a_person_stays() -> None:
    rng = np.random.default_rng(0)
    far = (0.1 * rng.standard_normal(64_000)).astype(np.float32)
    room = (rng.standard_normal(800) * np.exp(-np.arange(800) / 150)).astype(np.float32)
    echo = np.convolve(far, 0.3 * room / np.sqrt(np.square(room).sum()))[: len(far)].astype(np.float32)
    person = np.zeros_like(far)
    person[48_000:] = 0.1 * np.sin(np.arange(16_000) * 0.3)
    canceller = SpeexCanceller()
    left = through(canceller, echo + person, far)
    assert power_db(echo[40_000:48_000]) - power_db(left[40_000:48_000]) > 15
    # Speex takes the lowest frequencies out of the microphone, which turns phases: so compare behind that.
    alone = through(SpeexCanceller(), person, np.zeros_like(far))
    assert power_db(alone[50_000:]) == pytest.approx(power_db(person[50_000:]), abs=1)
    assert power_db((left - alone)[50_000:]) < power_db(alone[50_000:]) - 10
    canceller.reset()
    assert power_db(through(canceller, echo, far)[:1600]) > power_db(left[40_000:48_000]) + 10
