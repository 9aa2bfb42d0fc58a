"""Following phrases through the tokens: an Aho-Corasick automaton that gives and takes back score.

A state is the longest end of the written tokens that begins a phrase. The formulation is that of the
boosting tree of Andrusenko et al. (arXiv 2508.07014) with its two loose ends tied. Every token of a
phrase has a weight, and with P a sequence of tokens that begins a phrase:

    collected(P)   the sum of its tokens' weights; where phrases share a token the largest weight counts
    secured(P)     min(collected(P), the largest collected(Q) of all phrases Q that lie within P)
    at_risk(P)     collected(P) - secured(P)

A token that goes on from P to P k adds ``weight(k)``; one that does not lets the match fall back to the
longest end F of P that it does go on from, which adds ``at_risk(F) - at_risk(P)``. So the sum of all that
was added is what complete phrases secured, which is never taken back, plus what the present match has at
risk; a match that breaks leaves nothing behind. (The original subtracts from a complete phrase when the
match then falls back to the beginning of another one, and forgets a short phrase inside a long one that
breaks.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from parakeet_asr.records import FloatArray, IntArray

WeightedTokens = Sequence[tuple[int, float]]
"""A phrase: token ids and the weight of each, at least 0."""


class PhraseMatch:
    """How far the tokens written so far match a phrase. Never changes; :meth:`after` gives the next one."""

    __slots__ = ("_bonus", "_next", "_onward", "_tokens", "at_risk", "automaton", "depth")

    def __init__(self, automaton: PhraseAutomaton, depth: int, at_risk: float) -> None:
        """A state without successors; :class:`PhraseAutomaton` links the states."""
        self.automaton = automaton
        self.depth = depth  # tokens matched
        self.at_risk = at_risk  # score that is taken back when the match breaks
        self._next: dict[int, PhraseMatch] = {}  # without those that begin a phrase
        self._tokens: IntArray = np.empty(0, np.int64)  # the keys of _next
        self._bonus: FloatArray = np.empty(0, np.float32)  # their score above that of a break
        self._onward: IntArray = self._tokens  # tokens that go on with this very match

    def __repr__(self) -> str:
        """Short: the states know each other, all of them."""
        return f"PhraseMatch(depth={self.depth}, at_risk={self.at_risk:g})"

    def after(self, token: int) -> PhraseMatch:
        """The match when ``token`` was written."""
        return self._next.get(token) or self.automaton.begin(token)

    def scores(self) -> FloatArray:
        """What is added for every token: [vocabulary_size]."""
        scores: FloatArray = self._boosted(np.full_like(self.automaton.opening, -self.at_risk))
        return scores

    def choose(self, logits: FloatArray) -> int:
        """The token that wins with the scores.

        Args:
            logits: [vocabulary_size or more] raw scores of the pieces, then of whatever there is.
        """
        # at_risk is the same for all tokens: it changes no choice between them.
        return int(self._boosted(logits[: self.automaton.vocabulary_size]).argmax())

    def resist_blank(self, logits: FloatArray, winners: list[int]) -> None:
        """Put a token in the place of blanks that are ahead of it by less than ``anti_blank``.

        Only a token that goes on with a match that has begun can win in this way, and every time the match
        grows: without the model's own tokens there is an end after the rest of one phrase.

        Args:
            logits: [steps, vocabulary_size + 1 or more] raw scores, the blank's after those of the pieces.
            winners: best index of each step; changed in place.
        """
        bound, blank = self.automaton.anti_blank, self.automaton.vocabulary_size
        if not bound or not len(self._onward):
            return
        lead = logits[:, self._onward].max(axis=1) + bound - logits[:, blank]
        for step in np.flatnonzero(lead > 0).tolist():
            if winners[step] == blank:
                token = self.choose(logits[step])
                if token in self._onward and logits[step, token] + bound > logits[step, blank]:
                    winners[step] = token

    def _boosted(self, logits: FloatArray) -> FloatArray:
        boosted = logits + self.automaton.opening
        if len(self._tokens):
            boosted[self._tokens] = logits[self._tokens] + self._bonus
        return boosted


class PhraseAutomaton:
    """All states of a set of phrases. Never changes, so that decoders can share it."""

    def __init__(
        self, phrases: Iterable[WeightedTokens], vocabulary_size: int, anti_blank: float = 0.0
    ) -> None:
        """Build the trie, its failure links and the scores of every state.

        Args:
            phrases: none of them empty.
            vocabulary_size: pieces, without blank.
            anti_blank: nats by which a token that goes on with a match may be behind blank and still win.
        """
        self.vocabulary_size = vocabulary_size
        self.anti_blank = anti_blank
        self.opening: FloatArray = np.zeros(vocabulary_size, np.float32)  # scores where nothing matches
        self.start = PhraseMatch(self, 0, 0.0)
        self._begin: dict[int, PhraseMatch] = {}
        self._link(_trie(phrases))

    def begin(self, token: int) -> PhraseMatch:
        """The match of which ``token`` is the first one; ``start`` where no phrase begins with it."""
        return self._begin.get(token, self.start)

    def resume(self, match: PhraseMatch | None) -> PhraseMatch:
        """Go on with a carried match; it begins anew when it is one of other phrases."""
        return match if match is not None and match.automaton is self else self.start

    def _link(self, root: _Node) -> None:
        nodes = _with_failures(root)
        matches = {id(node): PhraseMatch(self, node.depth, node.at_risk) for node in nodes[1:]}
        self._begin = {token: matches[id(child)] for token, child in root.children.items()}
        for token, child in root.children.items():
            self.opening[token] = child.weight
        for node in nodes[1:]:
            moves = node.moves()
            match = matches[id(node)]
            match._next = {token: matches[id(child)] for token, (child, _) in moves.items()}
            match._tokens = np.array(list(moves), np.int64)
            match._bonus = np.array([bonus for _, bonus in moves.values()], np.float32)
            match._onward = np.array(list(node.children), np.int64)


@dataclass(slots=True, eq=False)
class _Node:
    """A node of the trie while it is built."""

    depth: int = 0
    weight: float = 0.0
    children: dict[int, _Node] = field(default_factory=dict)
    complete: bool = False
    fail: _Node | None = None  # the root's is None
    collected: float = 0.0
    within: float = 0.0  # largest collected() of the phrases inside

    @property
    def at_risk(self) -> float:
        return self.collected - min(self.collected, self.within)

    def moves(self) -> dict[int, tuple[_Node, float]]:
        """Successors from here and down the failure links, but for the root, with their bonus."""
        if self.fail is None:
            return {}
        onward = {token: (child, self.at_risk + child.weight) for token, child in self.children.items()}
        return {**self.fail.moves(), **onward}


def _trie(phrases: Iterable[WeightedTokens]) -> _Node:
    root = _Node()
    for phrase in phrases:
        node = root
        for token, weight in phrase:
            node = node.children.setdefault(token, _Node(node.depth + 1))
            node.weight = max(node.weight, weight)
        node.complete = True
    return root


def _with_failures(root: _Node) -> list[_Node]:
    """All nodes, each after those that are shorter, with their failure links and scores."""
    nodes = [root]
    for node in nodes:  # grows
        for token, child in node.children.items():
            nodes.append(child)
            child.fail = _fall(node.fail, token) or root
            child.collected = node.collected + child.weight
            inside = child.collected if child.complete else 0.0
            child.within = max(inside, node.within, child.fail.within)
    return nodes


def _fall(node: _Node | None, token: int) -> _Node | None:
    """The longest match, from ``node`` down, that ``token`` goes on with."""
    while node is not None:
        if token in node.children:
            return node.children[token]
        node = node.fail
    return None
