"""How the demo and the trial of duplex count."""

from __future__ import annotations

from score import Final, Interruption, Scored, is_echo, summarize_turns

ROBOT = "Dinner is ready, and everybody is waiting for you in the dining room."


def turn(
    kind: str,
    *finals: Final,
    person: str = "",
    at: tuple[float, float] | None = None,
    **more: list[Interruption],
) -> Scored:
    robot = [(1.0, 5.0)] if kind != "alone" else []
    return Scored(
        kind,
        0.0,
        10.0,
        [(1.0, ROBOT), (9.0, "You said: stop it.")] if robot else [],
        robot,
        person,
        at,
        list(finals),
        more.get("interruptions", []),
    )


def test_an_echo_is_at_least_half_the_robots_words_and_not_rather_the_persons() -> None:
    assert is_echo("Dinner is ready and everybody.", ROBOT)
    assert is_echo("dinner it ready and every body is waiting", ROBOT)  # with errors
    assert not is_echo("Is the front door clear?", ROBOT)
    assert not is_echo("", ROBOT)
    assert not is_echo("Is dinner ready?", ROBOT, "Is dinner ready?")
    assert is_echo("everybody is waiting for you in the dining room stop", ROBOT, "Stop!")


def test_what_was_heard_while_nobody_spoke_is_false_and_what_is_marked_is_not() -> None:
    echo = Final("Dinner is ready and everybody is waiting.", 1.0, 4.0)
    marked = Final(echo.text, 1.0, 4.0, echo=True)
    nonsense = Final("Oh.", 6.0, 6.5)
    counts = [
        (s.echo_finals, s.false_finals)
        for s in (summarize_turns([turn("listen", final)]) for final in (echo, marked, nonsense))
    ]
    assert counts == [(1, 1), (0, 0), (0, 1)]


def test_a_persons_words_are_counted_apart_where_the_robot_spoke_meanwhile() -> None:
    after = turn("after", Final("Go to the room.", 5.5, 7.0), person="Go to room twelve.", at=(5.6, 7.0))
    lost = turn("after", person="Go to room twelve.", at=(5.6, 7.0))
    over = turn("over", Final("Stop.", 2.9, 3.5), person="Stop it.", at=(3.0, 3.5))
    summary = summarize_turns([after, lost, over])
    assert (summary.said_words, summary.wrong_words, summary.lost_turns) == (8, 2 + 4, 1)
    assert (summary.over_words, summary.over_missed) == (2, 1)


def test_latency_counts_from_the_persons_onset_and_other_messages_are_false() -> None:
    def interrupted(*arrived_s: float, kind: str = "over") -> Scored:
        return turn(
            kind,
            person="" if kind == "listen" else "Stop it.",
            at=None if kind == "listen" else (3.0, 3.5),
            interruptions=[Interruption(s - 0.1, s) for s in arrived_s],
        )

    noticed, early = interrupted(3.4), interrupted(2.0)
    assert noticed.latency_s is not None
    assert abs(noticed.latency_s - 0.4) < 1e-9
    assert early.latency_s is None
    summary = summarize_turns([noticed, early, interrupted(4.0, kind="listen")])
    assert (summary.interruptions, summary.noticed, summary.false_interruptions) == (2, 1, 2)
    assert summary.latency_p90_s == noticed.latency_s


def test_without_an_interruption_there_is_no_latency() -> None:
    assert summarize_turns([turn("alone", person="Hello.", at=(1.0, 2.0))]).latency_p90_s is None
