"""Is an engine the model? References from PyTorch or NeMo, and engines held against them chunk by chunk.

What trt-asr-engine's suite overlooked: its contract had ``cache_last_channel_len`` 0 into and out of every
chunk, and one encoder step per window of 592 frames. Engine and reference agreed, because both forgot all. So
here the contract counts steps and caches as core.stream_contract does, a reference whose caches stay empty is
refused, and whatever comes out is also held against one pass over the whole signal.
"""

DEFAULT_TOLERANCE = 5e-4  # absolute, of outputs and caches: trt-asr-engine's
