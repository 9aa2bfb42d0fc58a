"""What phrase boosting recovers and what it costs: the tables and the figure of docs/phrases.md.

``python -m parakeet_asr_tools.studies.phrases --speech DIR [--docs]``. The encoder runs once; every setting
only decodes, so that all of them take a minute or two.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from parakeet_asr.core.decoding import GreedyDecoder
from parakeet_asr.core.edit_distance import edit_distance
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.phrase_match import PhraseAutomaton, WeightedTokens
from parakeet_asr.core.phrases import DEFAULT_SCORE, spellings, weigh
from parakeet_asr.loader import Model, load_model
from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr_tools.benchmark.accuracy import words

DOCUMENT = Path("docs/phrases.md")
FIGURE = Path("figures/phrases.png")  # from the document
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
BATCH = 16
MIN_LETTERS = 4

SCORES = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
ANTI_BLANKS = (0.0, 2.0)
OTHER_SCORES = (0.125, 0.25, 0.5, 1.0, 1.5)  # of ways that have no upper bound
STRANGERS = """
Abernathy Agnieszka Alejandro Amsterdam Antananarivo Aoife Barcelona Beatrix Bratislava Brisbane Caitlin
Cassandra Chandrasekhar Chattanooga Clementine Copenhagen Cordelia Damascus Desdemona Dubrovnik Eleanor
Esmeralda Ezekiel Fernando Florence Francesca Galileo Genevieve Giuseppe Guadalupe Hamburg Harriet Helsinki
Hiroshima Ignacio Ingrid Isabella Istanbul Jacqueline Jasper Johannesburg Juliet Kathmandu Kilimanjaro
Krakow Kubernetes Lancelot Leonardo Lisbon Ludwig Madagascar Magnolia Marrakesh Melbourne Montgomery
Nagasaki Napoleon Nebraska Octavia Oklahoma Ophelia Oxford Penelope Philadelphia Portugal Prometheus Quentin
Quebec Raspberry Reykjavik Rosalind Rotterdam Salvador Samantha Sebastian Shakespeare Singapore Stockholm
Tallahassee Tennessee Theodore Timbuktu Turtlebot Uppsala Uruguay Valentina Vancouver Veronica Vladimir
Warsaw Wellington Wilhelmina Winnipeg Xavier Yokohama Yolanda Zachary Zanzibar Zimbabwe
"""
"""Names that nobody says in the recordings, to see what a list costs when nothing of it is said."""

Weigh = Callable[[Sequence[int], Sequence[str], float], WeightedTokens]


@dataclass(frozen=True, slots=True)
class Speech:
    """Recordings behind the encoder, with what was said."""

    encoded: list[EncoderOutput]
    texts: list[str]
    duration_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one setting did to all recordings."""

    right: int  # names heard
    named: int  # names said
    new: int  # heard names that the plain decoder never wrote, wherever they were said
    false: int  # names written that nobody said
    wer: float
    wer_with: float  # of the utterances that have a name
    wer_without: float

    def cells(self, duration_s: float) -> list[str]:
        """Columns of a table."""
        return [
            f"{self.right} ({100 * self.right / max(1, self.named):.0f} %)",
            str(self.new),
            f"{self.false} ({3600 * self.false / duration_s:.0f})",
            *(f"{100 * rate:.2f}" for rate in (self.wer, self.wer_with, self.wer_without)),
        ]


COLUMNS = ("names right", "new names", "false names (per hour)", "WER", "with a name", "without")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and with ``--docs`` write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="demo", help="model directory, or the name of one (demo)")
    parser.add_argument("--speech", type=Path, default=Path("../shared/speech"), help="has manifest.jsonl")
    parser.add_argument("--docs", action="store_true", help=f"write {DOCUMENT} and its figure")
    arguments = parser.parse_args(argv)
    with load_model(arguments.model, guard=None) as model:
        report, curves = study(model, arguments.speech)
    print(report)
    if arguments.docs:
        draw(curves, DOCUMENT.parent / FIGURE)
        before, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        DOCUMENT.write_text(f"{before}{BEGIN}\n\n{report}\n{END}{after}", encoding="utf-8")
    return 0


def study(model: Model, folder: Path) -> tuple[str, dict[str, list[Outcome]]]:
    """All settings.

    Returns:
        Tables as Markdown, and curves for the figure, named by how tokens were weighed.
    """
    speech = listen(model, folder)
    names = names_in(speech.texts)
    plain_texts = decode(model, speech, None)

    def outcome(own: Weigh, score: float, anti_blank: float = 0.0, listed: Sequence[str] = names) -> Outcome:
        phrases = automaton(model, listed, own, score, anti_blank)
        return judge({name.lower() for name in listed}, speech, plain_texts, decode(model, speech, phrases))

    plain = judge({name.lower() for name in names}, speech, plain_texts, plain_texts)
    lines = [
        f"{len(speech.texts)} utterances, {speech.duration_s / 60:.1f} minutes, model {model.spec.name}; "
        f"{len(names)} names, said {plain.named} times. New names are occurrences of names that the plain "
        "decoder never gets right.",
        "",
        *_header("score", "anti-blank"),
        _row(["plain", "", *plain.cells(speech.duration_s)]),
    ]
    curves: dict[str, list[Outcome]] = {}
    for anti_blank in ANTI_BLANKS:
        curve = [outcome(weigh, score, anti_blank) for score in SCORES]
        curves[f"this project, anti-blank {anti_blank:g}"] = [plain, *curve]
        for score, one in zip(SCORES, curve, strict=True):
            shown = f"**{score:g}**" if score == DEFAULT_SCORE else f"{score:g}"
            lines.append(_row([shown, f"{anti_blank:g}", *one.cells(speech.duration_s)]))
    lines += ["", "Other ways to weigh the tokens of a phrase (anti-blank 0):", "", *_header("way", "score")]
    for name, other in OTHER_WAYS.items():
        curve = [outcome(other, score) for score in OTHER_SCORES]
        curves[name] = [plain, *curve]
        for score, one in zip(OTHER_SCORES, curve, strict=True):
            lines.append(_row([name, f"{score:g}", *one.cells(speech.duration_s)]))
    strangers = STRANGERS.split()
    lines += [
        "",
        f"A list of {len(strangers)} names of which none is said:",
        "",
        *_header("score", "anti-blank"),
    ]
    for score, anti_blank in (*((score, 0.0) for score in SCORES), (DEFAULT_SCORE, 2.0)):
        one = outcome(weigh, score, anti_blank, strangers)
        lines.append(_row([f"{score:g}", f"{anti_blank:g}", *one.cells(speech.duration_s)]))
    return "\n".join(lines) + "\n", curves


def listen(model: Model, folder: Path) -> Speech:
    """Encode everything that the manifest lists, in batches of similar length."""
    manifest = (folder / "manifest.jsonl").read_text(encoding="utf-8")
    rows = sorted(map(json.loads, manifest.splitlines()), key=lambda row: -float(row["duration_s"]))
    encoded = []
    for begin in range(0, len(rows), BATCH):
        audio = [read_audio(folder / row["audio"]) for row in rows[begin : begin + BATCH]]
        encoded.append(model.recognizer.encode(audio))
    return Speech(encoded, [row["text"] for row in rows], sum(float(row["duration_s"]) for row in rows))


def names_in(texts: Iterable[str]) -> list[str]:
    """Words with a capital inside a sentence that never appear in lower case: mostly proper names."""
    capital, lower = set(), set()
    for text in texts:
        begins = True
        for word in text.split():
            core = re.sub(r"('s)?[^\w'-]*$", "", word.strip('"('))
            if word.islower():
                lower.add(core)
            elif not begins and core.isalpha() and core[:1].isupper() and not core.isupper():
                capital.add(core)
            begins = word[-1] in '.!?:"'
    return sorted(name for name in capital if len(name) >= MIN_LETTERS and name.lower() not in lower)


def automaton(
    model: Model, phrases: Iterable[str], own: Weigh, score: float, anti_blank: float
) -> PhraseAutomaton:
    """As ``compile_phrases`` makes it, but for the weights."""
    tokenizer = model.recognizer.tokenizer
    weighted = [own(t, tokenizer.pieces, score) for phrase in phrases for t in spellings(phrase, tokenizer)]
    return PhraseAutomaton(weighted, len(tokenizer.pieces), anti_blank)


def decode(model: Model, speech: Speech, phrases: PhraseAutomaton | None) -> list[str]:
    """The text of every utterance."""
    decoder = GreedyDecoder(model.recognizer.engine)
    decoder.phrases = phrases
    decoded = [one for encoded in speech.encoded for one in decoder.decode(encoded)]
    return [model.recognizer.transcription(one.tokens, 0).text for one in decoded]


def judge(names: set[str], speech: Speech, plain: Sequence[str], heard: Sequence[str]) -> Outcome:
    """Count names and word errors; a name may stand anywhere in its utterance."""
    known: Counter[str] = Counter()
    for reference, text in zip(speech.texts, plain, strict=True):
        known += _names(reference, names) & _names(text, names)
    right = said = new = false = 0
    errors: dict[bool, tuple[int, int]] = {True: (0, 0), False: (0, 0)}
    for reference, text in zip(speech.texts, heard, strict=True):
        expected, written = _names(reference, names), _names(text, names)
        both = expected & written
        right += both.total()
        said += expected.total()
        new += sum(count for name, count in both.items() if name not in known)
        false += (written - expected).total()
        wrong, length = errors[bool(expected)]
        wrong += edit_distance(words(reference), words(text))
        errors[bool(expected)] = (wrong, length + len(words(reference)))
    total = (errors[True][0] + errors[False][0], errors[True][1] + errors[False][1])
    rates = [wrong / max(1, length) for wrong, length in (total, errors[True], errors[False])]
    return Outcome(right, said, new, false, *rates)


def draw(curves: dict[str, list[Outcome]], path: Path) -> None:
    """Names heard against what it cost; needs matplotlib (``pip install parakeet-asr-tools[bench]``)."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.0, 3.4))
    for name, curve in curves.items():
        ours = name.startswith("this")
        style = {"marker": "o", "markersize": 3.5, "linestyle": "-" if ours else "--", "label": name}
        recall = [100 * one.right / one.named for one in curve]
        left.plot([one.false for one in curve], recall, **style)
        right.plot([100 * one.wer for one in curve], recall, **style)
    left.set_xlabel("names written that nobody said")
    left.set_xlim(0, 80)
    right.set_xlabel("WER of everything, %")
    right.set_xlim(29, 33)
    left.set_ylabel("names right, %")
    right.legend(fontsize=7, frameon=False, loc="lower right")
    for panel in (left, right):
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})  # the same results give the same file
    pyplot.close(figure)


def _every_token(tokens: Sequence[int], pieces: Sequence[str], score: float) -> WeightedTokens:
    del pieces
    return [(token, score) for token in tokens]


def _growing(tokens: Sequence[int], pieces: Sequence[str], score: float) -> WeightedTokens:
    """NeMo's: the first token ``score``, the i-th (from 1) ``2 score + log i``."""
    del pieces
    return [(t, score if i == 1 else 2 * score + math.log(i)) for i, t in enumerate(tokens, 1)]


OTHER_WAYS: dict[str, Weigh] = {"every token alike": _every_token, "growing, as NeMo": _growing}


def _names(text: str, names: set[str]) -> Counter[str]:
    return Counter(word for word in words(text) if word in names)


def _header(*first: str) -> list[str]:
    titles = [*first, *COLUMNS]
    return [_row(titles), _row(["---", *["---:"] * (len(titles) - 1)])]


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    raise SystemExit(main())
