"""Memory, stream and CUDA graphs of engine trt on a real GPU; skipped where none answers.

Plans are the model's PyTorch modules, which read and write the addresses that were bound, on the stream that
was given: all of cuda-python's part, the session's and the engine's is real, only TensorRT's kernels are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_tensorrt import output_shape, plan_tensors
from made_models import cache_aware_archive, cache_aware_model, speech
from parakeet_asr.core.decoding import initial_state
from parakeet_asr.core.model_spec import STREAMING_GRAPH, ModelSpec
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.self_check import THRESHOLDS, judge, listen
from parakeet_asr.engines.ort import OrtEngine
from parakeet_asr.engines.trt.engine import TrtEngine
from parakeet_asr.engines.trt.limits import MachineLimits
from parakeet_asr.engines.trt.opening import stored_clips
from parakeet_asr.engines.trt.profiles import Shape, plan_graphs
from parakeet_asr.errors import EngineError
from parakeet_asr.model_directory import read_model_directory, resolve_model

torch: Any = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("no CUDA device answers", allow_module_level=True)
cuda_device: Any = pytest.importorskip("parakeet_asr.engines.trt.cuda_device", exc_type=EngineError)

DEMO = resolve_model("demo")
LIMITS = MachineLimits("fp32", max_batch=2, max_utterance_s=20.0, workspace_mb=64)
Function = Callable[..., tuple[Any, ...]]


@pytest.fixture
def device() -> Iterator[Any]:
    made = cuda_device.CudaDevice()
    yield made
    made.close()


class Place:
    """Device memory as torch takes it."""

    def __init__(self, address: int, dtype: str, shape: Shape) -> None:
        self.__cuda_array_interface__ = {
            "data": (address, False),
            "typestr": np.dtype(dtype).str,
            "shape": shape,
            "version": 3,
        }


class TorchPlan:
    """A plan whose kernels are PyTorch's."""

    def __init__(self, device: Any, spec: ModelSpec, graph: str, function: Function) -> None:
        self.spec, self.contract, self.function = spec, spec.graphs[graph], function
        self.tensors = plan_tensors(spec, graph, LIMITS)
        self.stream = torch.cuda.ExternalStream(device.stream)
        self.scratch_bytes = 1 << 20
        self.runs = 0

    def open_execution(self, scratch_address: int) -> TorchExecution:
        assert scratch_address
        return TorchExecution(self)

    def close(self) -> None:
        pass


class TorchExecution:
    """Reads and writes what was bound."""

    def __init__(self, plan: TorchPlan) -> None:
        self._plan = plan
        self._shapes = {n: t.shape for n, t in plan.tensors.items() if t.is_input and -1 not in t.shape}
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: Shape) -> None:
        self._shapes[name] = shape

    def output_shape(self, name: str) -> Shape:
        return output_shape(self._plan.spec, self._plan.contract, name, self._shapes)

    def bind(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def enqueue(self) -> None:
        plan = self._plan
        plan.runs += 1
        with torch.inference_mode(), torch.cuda.stream(plan.stream):
            inputs = [self._at(name, self._shapes[name]) for name in plan.contract.inputs]
            outputs = plan.function(*inputs)
            for name, value in zip(plan.contract.outputs, outputs, strict=True):
                self._at(name, self.output_shape(name)).copy_(value)

    def _at(self, name: str, shape: Shape) -> Any:
        place = Place(self._addresses[name], self._plan.tensors[name].dtype, shape)
        return torch.as_tensor(place, device="cuda")


def open_engine(
    device: Any, *, graphs: bool = True, directory: Path = DEMO, archive: Path = DEMO / "demo.nemo"
) -> tuple[TrtEngine, dict[str, TorchPlan]]:
    from parakeet_asr.engines.pytorch.loading import load_archive
    from parakeet_asr.engines.pytorch.model.encoder import Caches

    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    spec = read_model_directory(directory)
    model = load_archive(archive, "cuda", "float32", None).engine.model

    def encode(features: Any, lengths: Any) -> tuple[Any, ...]:
        outputs, steps = model.encoder(features, lengths)
        return outputs, steps, model.joint.enc(outputs.transpose(1, 2))

    def step(projected: Any, tokens: Any, hidden: Any, cell: Any) -> tuple[Any, ...]:
        output, hidden, cell = model.decoder(tokens, hidden, cell)
        return model.joint.combine(projected, model.joint.pred(output)[:, None]), hidden, cell

    def stream(*inputs: Any) -> tuple[Any, ...]:
        given = dict(zip(spec.graphs[STREAMING_GRAPH].inputs, inputs, strict=True))
        caches = Caches(*(given[f"cache_last_{name}"] for name in ("channel", "time", "channel_len")))
        outputs, steps, after = model.encoder.step(given["audio_signal"], given["length"], caches)
        made = {
            "outputs": outputs,
            "encoded_lengths": steps,
            "encoded_projected": model.joint.enc(outputs.transpose(1, 2)),
            "cache_last_channel_next": after.channel,
            "cache_last_time_next": after.time,
            "cache_last_channel_next_len": after.length,
        }
        return tuple(made[name] for name in spec.graphs[STREAMING_GRAPH].outputs)

    functions = {"encoder": encode, "decoder_step": step, STREAMING_GRAPH: stream}
    plans = {name: TorchPlan(device, spec, name, functions[name]) for name in plan_graphs(spec)}
    return TrtEngine(spec, dict(plans), device, "torch kernels", graphs=graphs), plans


def test_memory_is_zeroed_and_copies_arrive_in_the_streams_order(device: Any) -> None:
    size = 1 << 16
    first, second = device.allocate(size), device.allocate(size)
    there, back = device.allocate_host(size), device.allocate_host(size)
    back.array[:] = 7
    device.copy_out(back, first, size)
    device.synchronize()
    assert not back.array.any()
    there.array[:] = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    device.copy_in(second, there, size)
    device.copy_out(back, second, size)
    device.clear(second, size)
    device.synchronize()
    np.testing.assert_array_equal(back.array, there.array)
    device.copy_out(back, second, size)
    device.synchronize()
    assert not back.array.any()


def test_a_graph_reads_what_its_buffers_hold_when_it_is_launched(device: Any) -> None:
    size = 4096
    address = device.allocate(size)
    there, back = device.allocate_host(size), device.allocate_host(size)
    device.synchronize()

    def work() -> None:
        device.copy_in(address, there, size)
        device.copy_out(back, address, size)

    replay = device.capture(work)
    assert not back.array.any()  # recording runs nothing
    for value in (3, 200):
        there.array[:] = value
        replay()
        device.synchronize()
        assert (back.array == value).all()


def test_what_cannot_be_recorded_is_an_error_and_the_stream_goes_on(device: Any) -> None:
    size = 4096
    address, host = device.allocate(size), device.allocate_host(size)
    device.synchronize()
    with pytest.raises(EngineError, match="CUDA"):
        device.capture(device.synchronize)  # waiting inside of a capture
    host.array[:] = 9
    device.copy_in(address, host, size)
    device.clear(address, size)
    device.copy_out(host, address, size)
    device.synchronize()
    assert not host.array.any()


def test_more_memory_than_there_is_is_an_error(device: Any) -> None:
    with pytest.raises(EngineError, match="cudaMalloc"):
        device.allocate(1 << 50)
    assert device.allocate(1024)  # and the device goes on


def test_the_gpu_has_a_name_and_a_capability() -> None:
    gpu = cuda_device.find_gpu()
    assert gpu.name == torch.cuda.get_device_name(0)
    assert gpu.compute_capability == ".".join(map(str, torch.cuda.get_device_capability(0)))


@pytest.mark.parametrize("graphs", [True, False])
def test_the_engine_passes_its_own_self_check(graphs: bool) -> None:
    engine, plans = open_engine(cuda_device.CudaDevice(), graphs=graphs)
    clips = stored_clips()
    reference = listen(OrtEngine(DEMO, engine.spec, threads=2), clips)
    report = judge(reference, listen(engine, clips, forced=reference), THRESHOLDS["fp32"])
    assert report.passed, report.failures
    assert (engine._decoder.recorded_graphs > 0) is graphs
    steps = plans["decoder_step"].runs
    listen(engine, clips[:1])
    assert (plans["decoder_step"].runs == steps) is graphs  # replayed, the plan itself is not called
    assert "without CUDA graphs" not in engine.description
    engine.close()


def test_growing_windows_and_replayed_graphs_answer_what_onnx_runtime_answers() -> None:
    engine, _ = open_engine(cuda_device.CudaDevice())
    other = OrtEngine(DEMO, engine.spec, threads=2)
    for repetition in range(5):
        for frames in (1200, 80, 7, 555, 240, 2000):  # more shapes than there may be graphs
            generator = np.random.default_rng(100 * repetition + frames)
            x = generator.standard_normal((2, 128, frames)).astype(np.float32)
            n = np.array([frames, frames // 2])
            x[1, :, n[1] :] = 0
            got, expected = engine.encode(x, n), other.encode(x, n)
            assert got.lengths.tolist() == expected.lengths.tolist()
            for row, steps in enumerate(expected.lengths):
                np.testing.assert_allclose(
                    got.projected[row, :steps], expected.projected[row, :steps], atol=2e-3
                )
    assert engine._encoder.recorded_graphs == 4
    engine.close()


def test_the_steady_state_allocates_nothing() -> None:
    engine, _ = open_engine(cuda_device.CudaDevice())
    state = initial_state(engine.spec.decoder).predictor
    x = np.random.default_rng(0).standard_normal((1, 128, 1200)).astype(np.float32)

    def once() -> None:
        got = engine.encode(x, np.array([1200]))
        engine.step(got.projected[:, :8], np.array([3]), state)

    for _ in range(5):
        once()
    free, reserved = torch.cuda.mem_get_info()[0], torch.cuda.memory_stats()["num_device_alloc"]
    for _ in range(50):
        once()
    assert torch.cuda.mem_get_info()[0] == free
    assert torch.cuda.memory_stats()["num_device_alloc"] == reserved
    engine.close()


def test_caches_of_a_stream_stay_on_the_device_and_give_what_onnx_runtime_gives() -> None:
    directory, archive = cache_aware_model("rnnt"), cache_aware_archive("rnnt")
    engine, plans = open_engine(cuda_device.CudaDevice(), directory=directory, archive=archive)
    clip = speech()[: 16_000 * 6]
    expected = listen(OrtEngine(directory, engine.spec, threads=2), [clip])
    report = judge(expected, listen(engine, [clip], forced=expected), THRESHOLDS["fp32"])
    assert report.passed, report.failures
    assert STREAMING_GRAPH in report.stages
    runs = plans[STREAMING_GRAPH].runs
    listen(engine, [clip])
    assert plans[STREAMING_GRAPH].runs == runs  # both turns are recordings by now
    engine.close()


def test_closing_gives_the_memory_back() -> None:
    warm = cuda_device.CudaDevice()
    warm.close()
    before = torch.cuda.mem_get_info()[0]
    device = cuda_device.CudaDevice()
    device.allocate(512 << 20)
    device.allocate_host(1 << 20)
    assert before - torch.cuda.mem_get_info()[0] >= 512 << 20
    device.close()
    assert torch.cuda.mem_get_info()[0] >= before - (8 << 20)


def test_the_recognizer_runs_on_it() -> None:
    from parakeet_asr.tokenization import SentencePieceTokenizer

    engine, _ = open_engine(cuda_device.CudaDevice())
    tokenizer = SentencePieceTokenizer(DEMO / engine.spec.tokenizer, engine.spec.decoder.vocabulary_size)
    clips = stored_clips()
    expected = Recognizer(OrtEngine(DEMO, engine.spec, threads=2), tokenizer).recognize(clips)
    heard = Recognizer(engine, tokenizer).recognize(clips)
    assert [one.text for one in heard] == [one.text for one in expected]
    engine.close()
