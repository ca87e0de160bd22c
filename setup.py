"""Packaging of Antiphon.

Ranges are loose here; the versions that were tested together are in the
`requirements*.lock` files, which are made from this file (their first lines
say how).
"""

from setuptools import setup

# Steps whole batches of environments in C++.
_ENVPOOL = ["envpool~=0.8.4"]

# Environments that have left gym behind.
_GYMNASIUM = ["gymnasium>=1.0,<2"]

# Runs on many machines: Ray's core, without its dashboard, whose packages cannot be had
# together with those of TF-Agents.
_RAY = ["ray>=2.40,<3"]

# CUDA and cuDNN as wheels, GBs of them. TensorFlow 2.15.0 asks for TensorRT as well,
# which PyPI does not have.
_GPU = ["tensorflow[and-cuda]~=2.15.1"]

# Prints the tables of `benchmarks/`.
_BENCHMARKS = ["tabulate~=0.9"]

setup(
    name="antiphon",
    version="0.1.0",
    description="Distributed reinforcement learning: many actors, one learner, "
    "one Reverb server, on TF-Agents.",
    license="Apache-2.0",
    # dm-reverb has wheels for Linux x86-64 and for these Pythons only.
    python_requires=">=3.9,<3.12",
    packages=[
        "actor",
        "benchmarks",
        "configs",
        "eval_job",
        "experiment",
        "launch",
        "launch.check",
        "launch.doctor",
        "launch.report",
        "learner",
        "replay_shard",
        "reverb_server",
    ],
    # `configs` holds no Python: it is named above so that a wheel puts the presets
    # where a checkout has them, beside the packages.
    package_data={
        "benchmarks": ["*.gin"],
        "configs": ["*.gin"],
        "launch.report": ["*.jinja", "*.css", "*.js"],
    },
    # The packages lie in the root itself. Saying so makes an editable install one
    # plain path entry, which type checkers and IDEs follow too.
    package_dir={"": "."},
    install_requires=[
        "absl-py>=2",
        "dm-reverb~=0.14.0",
        "gin-config~=0.5",
        "gym~=0.23.0",
        "imageio-ffmpeg>=0.6,<1",
        "jinja2>=3.1,<4",
        "matplotlib~=3.6",
        "numpy>=1.23,<2",
        "plotly>=5.20,<7",
        "portpicker~=1.6",
        "prometheus-client>=0.20,<1",
        "psutil>=5.9,<8",
        "rich>=13.7,<15",
        "scipy>=1.10,<2",
        # tensorboard and pygame import pkg_resources, whose notice asks for <81.
        "setuptools>=65,<81",
        "tensorboard~=2.15.0",
        "tensorflow~=2.15.0",
        "tf-agents~=0.19.0",
    ],
    extras_require={
        "benchmarks": _BENCHMARKS,
        "envpool": _ENVPOOL,
        "gpu": _GPU,
        "gymnasium": _GYMNASIUM,
        "ray": _RAY,
        "test": [
            *_BENCHMARKS,
            *_ENVPOOL,
            *_GYMNASIUM,
            *_RAY,
            "hypothesis>=6",
            "import-linter",
            "kubernetes-validate>=1.31",
            "mypy",
            "pandas>=2,<3",
            "pytest",
            "pytest-randomly",
            "pytest-timeout",
            "pytest-xdist",
            "ruff",
            "types-psutil",
            "types-PyYAML",
            "types-tabulate",
        ],
    },
)
