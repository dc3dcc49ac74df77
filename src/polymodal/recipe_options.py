"""The sections of a recipe, but for ``train``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from polymodal.data.schema import Role
from polymodal.named_part import NamedPart, checked

_Share = Annotated[float, Field(ge=0, lt=1)]


class Options(BaseModel):
    """Options that are checked strictly and cannot be changed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class ColumnOptions(Options):
    """What differs from the inferred schema in one column."""

    role: Role | None = None
    """input, target, group, split or ignored; null = as inferred"""
    source: str | None = None
    """what the cells are made of: another column, or a text with columns in braces
    ("windows.npz#{row}"); null = the table's column of this name"""
    modality: NamedPart | None = None
    """what the cells hold; null = as inferred"""
    encoder: NamedPart | None = None
    """the network that reads an input column; null = the usual one of its modality"""
    head: NamedPart | None = None
    """the network that predicts a target column; null = the usual one of its modality"""

    @field_validator("modality", "encoder", "head")
    @classmethod
    def _exists(cls, part: NamedPart | None, info: ValidationInfo) -> NamedPart | None:
        return checked(part, info)


class SplitOptions(Options):
    """How the rows are parted into training, validation and test."""

    column: str | None = None
    """a column that names each row's part; null = one that looks so, else at random"""
    validation: _Share = 0.1
    """share of the rows for validation, where no column says"""
    test: _Share = 0.2
    """share of the rows for the test, where no column says"""
    group_by: str | None = None
    """a column whose equal values stay in one part (a patient, a speaker)"""
    stratify: bool = True
    """keep the shares of the first target's values alike in all parts"""

    @model_validator(mode="after")
    def _train_remains(self) -> SplitOptions:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together leave no row for training; lower one.")
        return self


class DataOptions(Options):
    """How cells are read."""

    broken: Literal["treat_as_missing", "error"] = "treat_as_missing"
    """what to do with a cell that cannot be read: treat_as_missing (and report it), or error"""
    workers: Annotated[int, Field(ge=1)] | Literal["auto"] = "auto"
    """threads that decode files; auto = one for each core"""
    drop_leaks: bool = True
    """leave out inputs that are the target under another name"""
    keep_packs: bool = True
    """keep decoded media in the user's cache folder, so that a second run starts at once"""
    keep_packs_gb: Annotated[float, Field(gt=0)] = 20.0
    """room for them in gigabytes; what was used longest ago makes way"""
    stream: bool = False
    """decode while training, for tables too large to keep decoded: Parquet, JSONL or tar files,
    here or far away"""
    stream_sample: Annotated[int, Field(ge=10)] = 10_000
    """of a stream: rows that are read as a table, for schema, statistics, validation and test"""
    stream_shuffle: Annotated[int, Field(ge=0)] = 1000
    """of a stream: rows that are held in memory to draw from at random"""
    keep_features: bool = True
    """run frozen encoders once and keep what they make of each cell on disk while training"""


class EvaluationOptions(Options):
    """What is measured after training, and reported."""

    resamples: Annotated[int, Field(ge=10)] = 1000
    """bootstrap resamples behind each confidence interval"""
    subsets: bool = True
    """score the model with every subset of its inputs hidden"""
    single_modalities: Literal["trained", "probe", "off"] = "trained"
    """compare with one input alone: trained (a model each), probe (quick, linear), or off"""
    trees: bool = True
    """compare with gradient-boosted trees on hand-made features"""
    examples: Annotated[int, Field(ge=0)] = 12
    """right and wrong test rows that the report shows"""
    pairs: str | None = None
    """of objective verify: a table of pairs to be tested (NAME_a, NAME_b, same: two values of
    column NAME and 1 or 0); null = all pairs of the test part"""
    language: Literal["en", "zh"] = "en"
    """language of the report: en or zh"""
