"""The benchmark's arithmetic, its report, and what its processes say to each other (a made-up contender)."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rich")

from rich.console import Console

from parakeet_asr.core.edit_distance import edit_distance
from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.benchmark import processes, report
from parakeet_asr_tools.benchmark.accuracy import agreement, word_error_rate, words
from parakeet_asr_tools.benchmark.corpus import choose, write_corpus
from parakeet_asr_tools.benchmark.job import Answer, Clip, Hypothesis, Job, Request
from parakeet_asr_tools.benchmark.processes import OURS, Child, ChildError, Entrant, find_entrants
from parakeet_asr_tools.benchmark.results import Measured, Results, verdicts

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"


@pytest.mark.parametrize(
    ("reference", "hypothesis", "distance"),
    [
        ("", "", 0),
        ("abc", "", 3),
        ("", "ab", 2),
        ("kitten", "sitting", 3),
        ("abc", "abc", 0),
        ("ab", "ba", 2),
    ],
)
def test_edit_distance(reference, hypothesis, distance):
    assert edit_distance(reference, hypothesis) == distance


def test_words_are_lower_case_without_punctuation():
    assert words("Go to the X-ray room, don't wait!") == [
        "go",
        "to",
        "the",
        "x",
        "ray",
        "room",
        "don't",
        "wait",
    ]


def test_word_error_rate_is_that_of_all_utterances_together():
    # one error in 1 word and none in 9: a mean of rates would say 50 %
    assert word_error_rate(["a", "b c d e f g h i j"], ["x", "b c d e f g h i j"]) == pytest.approx(0.1)


def test_agreement():
    found = agreement([[1, 2, 3], [4, 5]], [[1, 2, 3], [4, 6, 5]])
    assert (found.equal, found.token_error_rate) == (0.5, pytest.approx(0.2))


def test_choose_is_even_and_below_the_limit():
    assert choose(range(10), [1.0] * 10, 100.0) == list(range(10))
    assert choose(range(10), [1.0] * 10, 5.0) == [0, 2, 4, 6, 8]
    assert choose(range(3), [9.0] * 3, 1.0) == [0]


def test_corpus_holds_every_sample(tmp_path):
    corpus = write_corpus(SAMPLES, tmp_path / "pool")
    assert sum(clip.samples for clip in corpus.clips) * 4 == corpus.pool.stat().st_size
    assert corpus.clips[1].offset_samples == corpus.clips[0].samples


def test_corpus_can_be_limited(tmp_path):
    corpus = write_corpus(SAMPLES, tmp_path / "pool", limit_s=10.0)
    assert 0 < corpus.duration_s <= 10.0


def test_corpus_without_manifest(tmp_path):
    with pytest.raises(ConfigurationError, match=r"manifest\.jsonl"):
        write_corpus(tmp_path, tmp_path / "pool")


def results(**ours: list[float]) -> Results:
    theirs = Measured(
        "nemo", rtfx_batch_1=[10.0, 12.0, 11.0], cold_start_s=[9.0], peak_resident_bytes=[900e6]
    )
    small = Measured("sherpa_onnx", rtfx_batch_1=[50.0], peak_resident_bytes=[200e6], cores=[0.4])
    return Results(
        "2026-01-01", {"processor": "P"}, 1, 3, "speech", 5, 60.0, 30.0, "demo", "NeMo in this run",
        [Measured(OURS, **ours), theirs, small], {"onnx_asr": "not installed"},
    )  # fmt: skip


def test_verdicts_compare_medians_with_the_best_peer():
    by_title = {v.title: v for v in verdicts(results(rtfx_batch_1=[70.0, 80.0, 90.0]))}
    speed = by_title["RTFx, batch 1"]
    assert (speed.peer, speed.ratio, speed.reached) == ("sherpa_onnx", pytest.approx(1.6), True)


def test_verdicts_where_less_is_better():
    by_title = {v.title: v for v in verdicts(results(peak_resident_bytes=[150e6], cold_start_s=[0.9]))}
    memory, cold = by_title["peak memory, MB"], by_title["cold start, s"]
    assert (memory.peer, memory.ratio, memory.reached) == ("sherpa_onnx", pytest.approx(0.75), False)
    assert (cold.ours, cold.reached) == (0.9, True)


def test_results_survive_their_file(tmp_path):
    kept = results(rtfx_batch_1=[1.0])
    kept.write(tmp_path / "deep" / "results.json")
    assert Results.read(tmp_path / "deep" / "results.json") == kept


def test_report_says_what_is_missing_and_that_the_machine_was_busy():
    text = report.markdown(results(rtfx_batch_1=[70.0, 80.0, 90.0]), "figure.png")
    assert "| RTFx, batch 1 | 80 (90) | 11 (12) | 50 (50) |" in text
    assert "onnx-asr: not installed" in text
    assert "not free" in text
    console = Console(file=StringIO(), width=120)
    report.print_results(results(), console)


def test_docs_change_between_the_marks_only(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nWHAT WAS THERE\n{report.END}\nafter\n")
    report.write_docs(results(), page, None)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "WHAT WAS THERE" not in text
    page.write_text("nothing")
    with pytest.raises(ConfigurationError, match="measured: begin"):
        report.write_docs(results(), page, None)


def test_absent_peers_are_skipped_with_a_reason(tmp_path):
    entrants, skipped = find_entrants(tmp_path / "demo", tmp_path / "demo.nemo", tmp_path)
    assert [entrant.name for entrant in entrants] == [OURS]
    assert set(skipped) == {"nemo", "onnx_asr", "sherpa_onnx"}
    assert all("make setup-peers" in reason for reason in skipped.values())


CONTENDER = '''
class Counting:
    """Hears how many samples there are."""

    def load(self, model, threads):
        print("a framework talks on standard output")
        if model.endswith("broken"):
            raise OSError("no such weights")

    def transcribe(self, audio):
        return [str(len(samples)) for samples in audio]

    def transcribe_ids(self, audio):
        from parakeet_asr_tools.benchmark.job import Hypothesis
        return [Hypothesis(str(len(samples)), [len(audio)]) for samples in audio]

    def features(self, samples):
        samples.sum()

    def versions(self):
        return {"counting": "1"}


def create():
    return Counting()
'''


@pytest.fixture
def counting(tmp_path, monkeypatch):
    """A package tree in which `counting` is a contender, as the children see it."""
    import shutil

    import parakeet_asr_tools

    package = tmp_path / "parakeet_asr_tools"
    (package / "benchmark" / "contenders").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    original = Path(parakeet_asr_tools.__file__).parent / "benchmark"
    for name in ("__init__.py", "child.py", "job.py", "contenders/__init__.py"):
        shutil.copy(original / name, package / "benchmark" / name)
    (package / "benchmark" / "contenders" / "counting.py").write_text(CONTENDER)
    monkeypatch.setattr(parakeet_asr_tools, "__path__", [str(package)])
    pool = tmp_path / "pool"
    np.arange(30, dtype=np.float32).tofile(pool)
    clips = [Clip("a", "s", "ten", 0, 10), Clip("b", "s", "twenty", 10, 20)]
    return Job("", "serve", "", 1, str(pool), clips)


def test_child_serves(counting, tmp_path):
    with Child(Entrant("counting", Path(sys.executable), tmp_path / "model"), counting) as child:
        assert child.ask().versions == {"counting": "1"}
        heard = child.ask(Request("accuracy", [1, 0], 2)).hypotheses
        assert heard == [Hypothesis("20", [2]), Hypothesis("10", [2])]
        assert child.ask(Request("speed", [0, 1], 1)).wall_s > 0
        assert child.ask(Request("features", [0])).wall_s > 0


def test_child_that_fails_says_why(counting, tmp_path):
    with (
        Child(Entrant("counting", Path(sys.executable), tmp_path / "broken"), counting) as child,
        pytest.raises(ChildError, match="no such weights"),
    ):
        child.ask()


def test_children_have_the_threads_they_are_given_and_nothing_of_ours(tmp_path):
    environment = processes._environment(tmp_path, 3)
    assert environment["OMP_NUM_THREADS"] == "3"
    assert [p.name for p in Path(environment["PYTHONPATH"]).iterdir()] == ["parakeet_asr_tools"]


def test_answers_survive_their_line():
    answer = Answer({"x": "1"}, 1.0, 2.0, [Hypothesis("hi", [1, 2])], 3.0, 4)
    assert Answer.from_json(answer.to_json()) == answer
