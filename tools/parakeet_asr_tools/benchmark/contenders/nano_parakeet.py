"""nano-parakeet: plain PyTorch, bfloat16, a CUDA graph of the decoder's step; one recording at a time.

``from_pretrained`` downloads the one model that it knows and reads it as a zip, but a NeMo archive is a tar.
So the same steps are done here with its own functions on the weights of any archive of that size.
"""

from __future__ import annotations

import tarfile
import tempfile
import time
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.job import Hypothesis


class NanoParakeet:
    """``ParakeetTDT.transcribe``."""

    _model: Any
    _torch: Any

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        del threads
        self._torch = torch = import_module("torch")
        nano, loader = import_module("nano_parakeet"), import_module("nano_parakeet._loader")
        with tempfile.TemporaryDirectory() as scratch:
            with tarfile.open(model) as tar:
                member = next(one for one in tar if one.name.endswith("model_weights.ckpt"))
                member.name = "weights.ckpt"
                tar.extract(member, scratch, filter="data")
            weights = torch.load(Path(scratch, "weights.ckpt"), map_location="cpu", weights_only=True)
            made = nano.ParakeetTDT()
            missing, _ = made.load_state_dict(loader.remap_state_dict(weights), strict=False)
            if missing:
                raise ValueError(
                    f"{model}: nano-parakeet is made for parakeet-tdt-0.6b-v3, missing {missing[:3]}"
                )
            made = made.to("cuda").eval()
        for part in (made.encoder, made.decoder, made.joint):
            part.to(torch.bfloat16)
        processor = import_module("sentencepiece").SentencePieceProcessor()
        processor.LoadFromSerializedProto(loader.get_bundled_tokenizer_proto())
        made.sp = processor
        made.warmup()
        self._model = made

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """See :class:`Contender`."""
        return [self._model.transcribe(samples) for samples in audio]

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        heard = [self._model.transcribe_audio(self._torch.from_numpy(samples)) for samples in audio]
        return [Hypothesis(self._model.sp.DecodeIds(ids), ids) for ids in heard]

    def features(self, samples: FloatArray) -> None:
        """See :class:`Contender`; features alone are not compared on a GPU."""

    def stages(self, audio: list[FloatArray]) -> dict[str, float]:
        """Seconds per stage, summed over the recordings, which it takes one at a time."""
        torch, model = self._torch, self._model
        total = np.zeros(3)
        with torch.inference_mode():
            for samples in audio:
                times_s = [self._now()]
                features = model.preprocessor(torch.from_numpy(samples).cuda())
                times_s.append(self._now())
                frames = torch.tensor([features.shape[-1]], device="cuda")
                encoded, lengths = model.encoder(features.to(torch.bfloat16), frames)
                times_s.append(self._now())
                model._tdt_decode_graphed(encoded[0].float(), int(lengths[0]))
                times_s.append(self._now())
                total += np.diff(times_s)
        return dict(zip(("features", "encoder", "decoder"), total.tolist(), strict=True))

    def versions(self) -> dict[str, str]:
        """See :class:`Contender`."""
        return {name: version(name) for name in ("nano_parakeet", "torch")}

    def _now(self) -> float:
        self._torch.cuda.synchronize()
        return time.perf_counter()


def create() -> NanoParakeet:
    """The contender of this module."""
    return NanoParakeet()
