"""The device that the learner is to train on, as the user wants it.

Without TensorFlow: the launcher only passes it on. `devices` looks for it.
"""

from __future__ import annotations

from typing import NamedTuple

from experiment.errors import ConfigurationError, check_number, check_one_of

AUTO, CPU, GPU = "auto", "cpu", "gpu"
KINDS = (AUTO, CPU, GPU)


class LearnerDevice(NamedTuple):
    """What is wanted.

    Attributes:
      kind: `auto` is a GPU if TensorFlow sees one, `gpu` refuses to do without.
      gpus: How many GPUs train together, if any does.
    """

    kind: str = AUTO
    gpus: int = 1

    @classmethod
    def of_flags(
        cls, kind: str, require_gpu: bool, gpus: int | None = None
    ) -> LearnerDevice:
        """Takes the flags of these names together.

        Args:
          kind: `--learner_device`.
          require_gpu: `--require_gpu`: as `gpu`.
          gpus: `--learner_gpus`: as `gpu` too, if it is given.

        Raises:
          ConfigurationError: A value is wrong, or they contradict each other.
        """
        check_one_of("--learner_device", kind, KINDS)
        if gpus is not None:
            check_number("--learner_gpus", gpus, at_least=1, integer=True)
        if not require_gpu and gpus is None:
            return cls(kind)
        if kind == CPU:
            other = "--require_gpu" if require_gpu else f"--learner_gpus={gpus}"
            raise ConfigurationError(
                f"--learner_device=cpu hides all GPUs, but {other} asks for one; leave "
                "one of the two out."
            )
        return cls(GPU, gpus or 1)

    @property
    def required_gpus(self) -> int:
        """GPUs without which nothing is to be started."""
        return self.gpus if self.kind == GPU else 0

    def flags(self) -> list[str]:
        """What `python -m learner` is to be given."""
        several = [f"--learner_gpus={self.gpus}"] if self.gpus > 1 else []
        return [f"--learner_device={self.kind}", *several]
