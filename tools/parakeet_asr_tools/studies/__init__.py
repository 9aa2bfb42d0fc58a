"""Studies behind the defaults: each measures one thing and prints a table for the documents.

``parakeet-asr-tools study NAME``; a study draws no conclusion, the documents do.
"""
