# Everything goes into .venv; the first run installs, the next ones start in seconds.

SHELL := /bin/sh
BIN := .venv/bin
# Makes the built messages known (and libraries found) also where ROS 2 itself comes from apt.
WITH_ROS := if [ -f .venv/local_setup.sh ]; then . ./.venv/local_setup.sh; fi;

.PHONY: demo demo-duplex trial-duplex trial-node setup setup-peers test lint format parity bench bench-stream bench-variants bench-memory bench-gpu clean python

demo: python  ## speech becomes text on real ROS 2 topics (no PyTorch needed)
	@python3 scripts/bootstrap.py runtime ros
	@$(WITH_ROS) $(BIN)/python examples/demo.py

demo-duplex: python  ## a robot that talks and is interrupted: what was said, what was heard; ARGS="--mode gate"
	@python3 scripts/bootstrap.py runtime ros
	@$(WITH_ROS) $(BIN)/python examples/duplex/demo_duplex.py $(ARGS)

trial-duplex: python  ## dialogues of a robot and people in five rooms, counted (45 min; ARGS="--parallel 4")
	@python3 scripts/bootstrap.py runtime ros
	@$(WITH_ROS) $(BIN)/python examples/duplex/trial_duplex.py $(ARGS)

trial-node: python  ## what the node costs in an empty room, and what ROS adds to a final (5 min)
	@python3 scripts/bootstrap.py runtime ros
	@$(WITH_ROS) $(BIN)/python examples/trial_node.py

setup: python  ## .venv/bin/parakeet-asr, .venv/bin/parakeet-asr-tools and the node
	@python3 scripts/bootstrap.py runtime ros tools

test: python  ## all tests
	@python3 scripts/bootstrap.py runtime ros tools dev
	@$(WITH_ROS) $(BIN)/python -m pytest

lint: python  ## ruff and mypy --strict
	@python3 scripts/bootstrap.py runtime ros tools dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: python  ## what lint asks for
	@python3 scripts/bootstrap.py runtime dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

parity: python  ## token by token and feature by feature against NeMo, live where it is installed; ARGS=--all
	@python3 scripts/bootstrap.py runtime tools dev
	$(BIN)/python -m pytest tests/parity tests/engines/test_streaming.py -m "parity or not parity" \
		-o faulthandler_timeout=3600 $(ARGS)

setup-peers: python  ## NeMo, onnx-asr and sherpa-onnx into .venv-peers, for bench and parity
	@scripts/setup-peers

bench: python  ## speed and memory, ours and the peers'; ARGS=--docs writes docs/benchmarks.md
	@python3 scripts/bootstrap.py runtime tools
	$(BIN)/parakeet-asr-tools bench $(ARGS)

bench-stream: python  ## streaming: errors, latencies, revisions, computing beside NeMo's; ARGS=--docs
	@python3 scripts/bootstrap.py runtime tools
	$(BIN)/parakeet-asr-tools bench-stream $(ARGS)

bench-gpu: python  ## a CUDA machine: engines and peers on a full-size model made there; ARGS=--docs
	@python3 scripts/bootstrap.py runtime tools
	$(BIN)/parakeet-asr-tools bench-gpu $(ARGS)

bench-variants: python  ## size, memory, word errors and speed of INT8, INT4 and GenAI variants; ARGS="--every 10"
	@python3 scripts/bootstrap.py runtime tools
	$(BIN)/parakeet-asr-tools study variants $(ARGS)

bench-memory: python  ## memory of the node, every profile; ARGS="MODEL_DIRECTORY ..."
	@python3 scripts/bootstrap.py runtime ros
	@$(WITH_ROS) $(BIN)/python scripts/measure_memory.py $(ARGS)

clean:  ## everything that was generated, .venv included
	rm -rf .venv build ros2_ws/build ros2_ws/install ros2_ws/log .mypy_cache .ruff_cache .pytest_cache .hypothesis
	rm -rf parakeet_asr_node/build parakeet_asr_node/*.egg-info tools/build tools/*.egg-info

python:
	@command -v python3 >/dev/null || { echo "python3 is missing: sudo apt install python3 python3-venv" >&2; exit 1; }
