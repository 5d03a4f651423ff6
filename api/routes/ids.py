"""Ids as callers send them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import Field

# PostgreSQL's text has no NUL.
_NO_NUL = r"^[^\x00]*$"

Id = Annotated[str, Field(min_length=1, max_length=500, pattern=_NO_NUL)]
PlanId = Annotated[str, Path(max_length=100, pattern=_NO_NUL)]
