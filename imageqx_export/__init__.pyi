"""The public names, each from the module that defines it: the one list of them."""

from .artifact import (
    Artifact as Artifact,
)
from .artifact import (
    Checkpoint as Checkpoint,
)
from .artifact import (
    Format as Format,
)
from .artifact import (
    Manifest as Manifest,
)
from .artifact import (
    ModelSpec as ModelSpec,
)
from .artifact import (
    Precision as Precision,
)
from .artifact import (
    Preprocessing as Preprocessing,
)
from .artifact import (
    Temperatures as Temperatures,
)
from .artifact import (
    TensorSpec as TensorSpec,
)
from .checkpoint import load_checkpoint as load_checkpoint
from .checkpoint import save_checkpoint as save_checkpoint
from .data.labels import LabelledPhotos as LabelledPhotos
from .data.sources import Sources as Sources
from .errors import ImageQXError as ImageQXError
from .evaluation.result import Evaluation as Evaluation
from .evaluation.stage import evaluate as evaluate
from .export.stage import ExportConfig as ExportConfig
from .export.stage import ExportResult as ExportResult
from .export.stage import export_checkpoint as export_checkpoint
from .parity.compare import ParityReport as ParityReport
from .parity.stage import compare_artifacts as compare_artifacts
from .predict.verdict import Verdict as Verdict
from .predict.verdict import predict_photos as predict_photos
from .preprocess import load_pixels as load_pixels
from .quantize.model import QuantizedModel as QuantizedModel
from .quantize.plan import make_recipe as make_recipe
from .quantize.recipe import Recipe as Recipe
from .quantize.recipe import read_recipe as read_recipe
from .quantize.recipe import write_recipe as write_recipe
from .runtimes import load_runtime as load_runtime
from .runtimes.base import Runtime as Runtime
from .thresholds.stage import ThresholdsConfig as ThresholdsConfig
from .thresholds.stage import choose_thresholds as choose_thresholds
from .training.config import TrainingConfig as TrainingConfig
from .training.stage import train as train

__version__: str
__all__: list[str]
