"""The public names, each from the module that defines it: the one list of them."""

from .artifact import (
    Artifact as Artifact,
    Checkpoint as Checkpoint,
    Format as Format,
    Manifest as Manifest,
    ModelSpec as ModelSpec,
    Precision as Precision,
    Preprocessing as Preprocessing,
    Temperatures as Temperatures,
    TensorSpec as TensorSpec,
)
from .checkpoint import load_checkpoint as load_checkpoint, save_checkpoint as save_checkpoint
from .data.labels import LabelledPhotos as LabelledPhotos
from .data.sources import Sources as Sources
from .errors import ImageQXError as ImageQXError
from .evaluation.result import Evaluation as Evaluation
from .evaluation.stage import evaluate as evaluate
from .export.stage import (
    ExportConfig as ExportConfig,
    ExportResult as ExportResult,
    export_checkpoint as export_checkpoint,
)
from .parity.compare import ParityReport as ParityReport
from .parity.stage import compare_artifacts as compare_artifacts
from .predict.verdict import Verdict as Verdict, predict_photos as predict_photos
from .preprocess import load_pixels as load_pixels
from .quantize.model import QuantizedModel as QuantizedModel
from .quantize.plan import make_recipe as make_recipe
from .quantize.recipe import Recipe as Recipe, read_recipe as read_recipe, write_recipe as write_recipe
from .runtimes import load_runtime as load_runtime
from .runtimes.base import Runtime as Runtime
from .thresholds.stage import ThresholdsConfig as ThresholdsConfig, choose_thresholds as choose_thresholds
from .training.config import TrainingConfig as TrainingConfig
from .training.stage import TrainingRun as TrainingRun, train as train

__version__: str
__all__: list[str]
