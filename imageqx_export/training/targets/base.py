"""What the loop knows of what a network learns: nothing but this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from imageqx_export.artifact import ModelSpec, Outputs
from imageqx_export.data.bank import Bank
from imageqx_export.data.labels import Label, LabelledPhotos
from imageqx_export.data.sample_plan import SamplePlan
from imageqx_export.networks import NO_OPTIONS, Options
from imageqx_export.training.config import TrainingConfig

Truth = tuple[Tensor, ...]
"""What samples are, a tensor per thing that is learnt, each with the batch first."""
Loss = Callable[[Any, Truth], Tensor]
"""From the network's logits and the truth to a scalar."""
Groups = dict[str, dict[str, dict[str, float]]]
"""Per group and row, numbers by name: what one run's scores look like in tables."""


class Targets(ABC):
    """What one network learns: the truth of samples, the loss, and how runs are scored and told about.

    Attributes:
        HEADLINE: The score by which epochs and runs are compared; higher is better.
        CARD: The model card's template, in this package.
        DEFAULTS: Options of :class:`TrainingConfig` that this network has other defaults for.
    """

    HEADLINE: ClassVar[str]
    CARD: ClassVar[str]
    DEFAULTS: ClassVar[Mapping[str, Any]]

    def refuse(self, labels: Sequence[Label], config: TrainingConfig) -> None:
        """Refuse rated photos that nothing can be learnt from or measured on, before anything is written.

        Args:
            labels: Of a table, all sides.
            config: How to train.

        Raises:
            DatasetError: The message says what is missing.
        """
        return

    def list_options(self, config: TrainingConfig) -> Options:
        """Return the options of the network's family that a configuration asks for."""
        return NO_OPTIONS

    @abstractmethod
    def require_outputs(self, spec: ModelSpec) -> None:
        """Refuse a network whose outputs are not what is learnt here, before anything is written.

        Args:
            spec: The network's.

        Raises:
            ArtifactError: The message says what the network gives instead.
        """

    @abstractmethod
    def read_truth(self, plan: SamplePlan) -> Truth:
        """Return the truth of a plan's samples, on the CPU."""

    @abstractmethod
    def make_loss(self, config: TrainingConfig, bank: Bank) -> Loss:
        """Return the loss for samples of ``bank``."""

    @abstractmethod
    def score(self, outputs: Outputs, photos: LabelledPhotos, spec: ModelSpec) -> dict[str, Any]:
        """Compare outputs with the truth about photos, by ``spec``'s thresholds; JSON-able, :attr:`HEADLINE` in it."""

    @abstractmethod
    def list_scalars(self, scores: Mapping[str, Any]) -> dict[str, float]:
        """Return the numbers of :meth:`score` that are worth a curve, by a path such as ``validation/auc``."""

    @abstractmethod
    def describe(self, scores: Mapping[str, Any]) -> str:
        """Say in half a sentence how an epoch scores."""

    @abstractmethod
    def group(self, scores: Mapping[str, Any]) -> Groups:
        """Return the rows of :meth:`score` for a table, of which mean ± SD over runs are given."""

    def choose_spec(self, outputs: Outputs, truth: Truth, spec: ModelSpec) -> ModelSpec:
        """Return ``spec`` with what is chosen on the training split, given the trained network's outputs on samples."""
        return spec

    @property
    def chooses(self) -> bool:
        """Whether :meth:`choose_spec` changes anything, so that samples are to be run for it."""
        return type(self).choose_spec is not Targets.choose_spec
