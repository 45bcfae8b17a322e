"""The base of every value that is written as JSON: frozen, and strict about names."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A value that cannot be changed, and that refuses fields it does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid")
