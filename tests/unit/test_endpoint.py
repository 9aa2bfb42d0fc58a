"""The endpointer: bounds of utterances from speech probabilities."""

from __future__ import annotations

from parakeet_asr.core.endpoint import Change, Endpointer, EndpointOptions

FRAME = 512
OPTIONS = EndpointOptions(min_speech_s=0.064, silence_s=0.32, pre_roll_s=0.096, post_roll_s=0.064)


def run(endpointer: Endpointer, probabilities: list[float]) -> list[tuple[int, Change]]:
    changes = [(i, endpointer.push(p)) for i, p in enumerate(probabilities)]
    return [(i, change) for i, change in changes if change is not Change.NOTHING]


def test_bounds_with_pre_and_post_roll() -> None:
    endpointer = Endpointer(OPTIONS, FRAME)
    assert run(endpointer, [0.0] * 10 + [0.9] * 20 + [0.0] * 12) == [(11, Change.BEGAN), (39, Change.ENDED)]
    assert endpointer.start_sample == 7 * FRAME
    assert endpointer.end_sample == 32 * FRAME


def test_hysteresis_holds_soft_speech_but_does_not_begin_with_it() -> None:
    assert run(Endpointer(OPTIONS, FRAME), [0.4] * 50) == []
    assert run(Endpointer(OPTIONS, FRAME), [0.9] * 3 + [0.4] * 50) == [(1, Change.BEGAN)]


def test_a_click_is_not_speech() -> None:
    endpointer = Endpointer(OPTIONS, FRAME)
    assert run(endpointer, ([0.9] + [0.0] * 9) * 5) == []
    assert not endpointer.pending


def test_pre_roll_never_reaches_into_the_utterance_before() -> None:
    endpointer = Endpointer(OPTIONS, FRAME)
    run(endpointer, [0.9] * 5 + [0.0] * 10)
    first_end = endpointer.end_sample
    run(endpointer, [0.9] * 5)
    assert endpointer.start_sample >= first_end


def test_what_may_still_become_speech_is_kept() -> None:
    endpointer = Endpointer(OPTIONS, FRAME)
    run(endpointer, [0.0] * 100)
    assert endpointer.earliest_sample == 97 * FRAME
    run(endpointer, [0.9] * 5)
    assert endpointer.earliest_sample == endpointer.start_sample


def test_confirm_takes_an_onset_that_is_still_too_short() -> None:
    endpointer = Endpointer(OPTIONS, FRAME)
    assert not endpointer.confirm()
    run(endpointer, [0.0] * 10 + [0.9])
    assert endpointer.confirm()
    assert endpointer.speaking
    assert endpointer.start_sample == 7 * FRAME
