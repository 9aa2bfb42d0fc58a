"""Side-by-side measurements of this project and its peers, on the same weights and the same audio.

One process per contender and measurement. What runs inside of a contender's process (:mod:`.child`,
:mod:`.job`, :mod:`.contenders`, :mod:`.export_peers`) needs numpy and the contender only, because a
peer's environment has nothing of ours. Everything else runs in the orchestrating process.
"""
