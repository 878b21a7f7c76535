"""One frozen, validated configuration: YAML in; errors name the line, what was given and what is allowed."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, ValidationError, model_validator

from search.samplers.by_name import names as sampler_names
from search.words import parse_amount
from spaces import components
from spaces.dimensions import Value
from spaces.mistake import Mistake


class ConfigError(Mistake):
    """The configuration cannot be used; the message has one sentence a mistake."""


Amount = Annotated[float, BeforeValidator(parse_amount), Field(gt=0)]


def number_or_auto(value: Any) -> Any:
    """A number of at least zero, with suffixes as in ``parse_amount``, or ``'auto'``."""
    number = parse_amount(value)
    if value == "auto" or (isinstance(number, int | float) and not isinstance(number, bool) and number >= 0):
        return number
    raise ValueError("it must be a number, zero or more, or 'auto'")


NumberOrAuto = Annotated[float | Literal["auto"], PlainValidator(number_or_auto)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A part of the configuration: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSection(Section):
    """Where images come from. Further keys are keywords of the source's ``load``."""

    model_config = ConfigDict(frozen=True, extra="allow")
    source: str = "digits"

    @property
    def keywords(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class SpaceSection(Section):
    """Which space, and which of its values (by full address)."""

    name: str = "tiny"
    restrict: dict[str, list[Value]] = Field(default_factory=dict)


class LimitsSection(Section):
    """Hard limits that every trained candidate meets: multiply-accumulates, parameters, output elements, milliseconds.

    Attributes:
        max_latency_ms: of one image, predicted by a model of a device (``search.setting.device``).
        latency_file: the device's measurements; without it this machine is measured, once per run.
    """

    max_macs: Amount | None = None
    max_params: Amount | None = None
    max_activations: Amount | None = None
    max_latency_ms: Amount | None = None
    latency_file: str | None = None


class SearchSection(Section):
    """Stage 1.

    Attributes:
        trials: candidates to train.
        initial: how many of them before the predictor chooses; trained in full under the paper's rule.
        batch: candidates proposed together.
        epochs: length of the schedule of a candidate.
        sampler: file in ``search/samplers``, or one of Optuna's.
        predictor: file in ``predictors``, fitted to all trials for each round of proposals.
        watched: predictor whose rank agreement on held-out trials is measured each round with and without pretraining.
        pretrain: free candidates whose statistics the predictor's encoder is pretrained on.
        stopping: ``paper`` stops all candidates at one epoch, at which ranks are decided; ``regret`` stops each as soon
            as what the stopped ones could still have brought is worth less than the tolerance.
        regret: the tolerance of ``regret``: expected loss of the best, as a share of its distance from the median.
        rank_correlation: the threshold of ``paper``: the first epoch whose correlation with the final ranks reaches
            it is where candidates stop.
        coefficient: which rank correlation.
        audit: share of candidates that are trained in full whatever the rule says, to re-check it; by default 0.125
            under ``paper`` and none under ``regret``, which does without.
    """

    trials: int = Field(default=100, ge=4)
    initial: int = Field(default=24, ge=3)
    batch: int = Field(default=8, ge=1)
    epochs: int = Field(default=10, ge=1)
    sampler: str = "nars"
    predictor: str = "gp"
    watched: str = "mlp"
    pretrain: int = Field(default=5000, ge=0)
    stopping: Literal["paper", "regret"] = "paper"
    regret: float = Field(default=0.01, gt=0, le=1)
    rank_correlation: Share = 0.92
    coefficient: Literal["kendall", "spearman"] = "spearman"
    audit: float | None = Field(default=None, ge=0, le=1)

    @property
    def audited(self) -> float:
        """Share of candidates that are trained in full whatever the rule says."""
        return self.audit if self.audit is not None else 0.125 if self.stopping == "paper" else 0.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.initial > self.trials:
            raise ValueError(f"initial ({self.initial}) must not exceed trials ({self.trials})")
        return self


class FamilySection(Section):
    """Stage 2 and final training.

    Attributes:
        max_macs: the budgets, one member each; or how many, evenly spaced on a logarithmic scale below the limit.
        contenders: pairs per budget that are trained again with fresh seeds before the choice.
        repeats: fresh seeds of each contender.
        confidence: multiple of the predicted spread that is subtracted from the predicted accuracy.
        epochs: length of the final schedule.
        seeds: final trainings of each member; the best on search-validation is exported.
        teachers: how many of the largest members are trained on labels and teach the others together; 0 trains all on
            labels. Or names of networks that teach all members: ``local-dir:FOLDER`` of an exported network, or
            ``MODEL@CHECKPOINT`` of timm.
        soup: mix the weights of a member's final trainings, and export the mix if it is better on search-validation.
        objective: file in ``trainables/objectives`` that compares a network with its teachers.
        stored_targets: whether the teachers' answers are kept on disk and reused; all members then have the
            augmentation, mixing and batch size of the largest, so that they see the same views.
        top_k: class probabilities that are kept for a view.
        distillation_weight: weight of the divergence from the teachers.
        label_weight: weight of the cross-entropy with the labels.
        temperature: of the distillation.
        precision: of the forward passes of final trainings; ``auto`` is bfloat16 on a GPU that computes in it, float32
            on all else. Trials, evaluation and what is exported are float32.
    """

    max_macs: list[Amount] | Annotated[int, Field(ge=1, le=50)] = 5
    contenders: int = Field(default=2, ge=1)
    repeats: int = Field(default=1, ge=0)
    confidence: float = Field(default=0.5, ge=0)
    epochs: int = Field(default=30, ge=1)
    seeds: int = Field(default=1, ge=1)
    teachers: Annotated[int, Field(ge=0)] | Annotated[list[str], Field(min_length=1)] = 1
    soup: Literal["none", "uniform", "greedy"] = "none"
    objective: str = "distillation"
    stored_targets: bool = False
    top_k: int = Field(default=10, ge=1)
    distillation_weight: float = Field(default=0.8, ge=0)
    label_weight: float = Field(default=0.2, ge=0)
    temperature: float = Field(default=1.0, gt=0)
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class RunSection(Section):
    """Where and with how much the work runs.

    Attributes:
        executor: file in ``search/executors``.
        concurrent: trials at a time; as many as the cluster has room for by default.
        workers: Ray Train workers of a final training.
        workers_per_trial: Ray Train workers of a trial; more than one need executor ray_train.
        cpus: processor cores of a trial or of a worker; also its number of threads.
        gpus: GPUs of a trial or of a worker. Below 1, several trials share one; ``auto`` measures which share the
            largest candidate within the limits needs. A worker of a final training has whole ones.
        memory: bytes of main memory that a machine must have left to start a trial, or a worker of one; ``auto``
            measures them, and 0 does not look at memory.
        retries: how often a trial is started again after its machine or process was lost.
        storage: URL of the Optuna storage; a journal file in the run's folder by default.
        checkpoints: folder or fsspec URI (``s3://...``) of the checkpoints of trials and final trainings; the run's
            folder by default.
        checkpoint_quota: bytes that the trials' checkpoints may take together; no bound by default.
    """

    executor: str = "ray_tune"
    concurrent: int | None = Field(default=None, ge=1)
    workers: int = Field(default=1, ge=1)
    workers_per_trial: int = Field(default=1, ge=1)
    cpus: int = Field(default=1, ge=1)
    gpus: NumberOrAuto = 0.0
    memory: NumberOrAuto = 0.0
    retries: int = Field(default=3, ge=0)
    storage: str | None = None
    checkpoints: str | None = None
    checkpoint_quota: Amount | None = None


class RaySection(Section):
    """``address`` of a running cluster (``auto`` finds it); by default a private one on this machine."""

    address: str | None = None


class TrackingSection(Section):
    """``uri`` of an MLflow tracking server; by default an SQLite store in the run's folder.

    ``system_metrics_s`` seconds between two records of the load of the machine that drives the search; none by default.
    """

    uri: str | None = None
    enabled: bool = True
    system_metrics_s: float | None = Field(default=None, ge=1)


class Config(Section):
    """A whole search. ``name`` is the folder below ``runs``; ``seed`` determines every random choice."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0)
    runs: str = "runs"
    data: DataSection = DataSection()
    space: SpaceSection = SpaceSection()
    limits: LimitsSection = LimitsSection()
    search: SearchSection = SearchSection()
    family: FamilySection = FamilySection()
    run: RunSection = RunSection()
    ray: RaySection = RaySection()
    tracking: TrackingSection = TrackingSection()

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.runs) / self.name

    def dump(self) -> str:
        """YAML that ``parse`` reads back to an equal configuration."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def read(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: the file is missing, is not YAML, or has a key or value that is not allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot read the configuration '{path}': {error.strerror or error}") from error
    return parse(text, str(path))


def parse(text: str, origin: str = "configuration") -> Config:
    """Parse and validate YAML; the names of components are checked against the files that exist."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        given = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} is not YAML: {' '.join(str(error).split())}") from error
    if root is None or not isinstance(given, dict):
        raise ConfigError(f"{origin} must be a mapping of sections, such as 'name: digits'")
    try:
        config = Config.model_validate(given)
    except ValidationError as error:
        lines = (_sentence(origin, root, details) for details in error.errors())
        raise ConfigError("\n".join(dict.fromkeys(lines))) from None
    _check_names(config, origin, root)
    return config


def _check_names(config: Config, origin: str, root: yaml.Node) -> None:
    allowed = {
        ("data", "source"): components.names(components.SOURCES),
        ("space", "name"): components.names(components.SPACES),
        ("search", "sampler"): sampler_names(),
        ("search", "predictor"): components.names(components.PREDICTORS),
        ("search", "watched"): components.names(components.PREDICTORS),
        ("run", "executor"): components.names(components.EXECUTORS),
    }
    for (section, key), names in allowed.items():
        value = getattr(getattr(config, section), key)
        if value not in names:
            where = _where(origin, root, (section, key))
            raise ConfigError(f"{where}: '{section}.{key}' is '{value}'; it can be {', '.join(names)}")


def _sentence(origin: str, root: yaml.Node, details: Any) -> str:
    location = tuple(part for part in details["loc"] if not (isinstance(part, str) and "[" in part))
    address = ".".join(map(str, location))
    where = _where(origin, root, location)
    if details["type"] == "extra_forbidden":
        section = _section(location[:-1])
        return f"{where}: unknown key '{address}'; allowed here: {', '.join(section.model_fields)}"
    if details["type"] == "missing":
        return f"{where}: '{address}' is missing"
    message = details["msg"].removeprefix("Value error, ")
    return f"{where}: '{address}' is {details['input']!r}: {message[0].lower()}{message[1:]}"


def _section(location: tuple[Any, ...]) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for part in location:
        annotation = model.model_fields[part].annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            model = annotation
    return model


def _where(origin: str, root: yaml.Node, location: tuple[Any, ...]) -> str:
    """``file, line N`` of the deepest part of a location that the text has."""
    node, line = root, root.start_mark.line
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line
        else:
            break
    return f"{origin}, line {line + 1}"
