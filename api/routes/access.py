"""Who calls, and what they may: an API key in ``Authorization: Bearer``, with scopes."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes

from api.keys import ApiKey, verify
from api.problems import ProblemError
from api.service import Serving

_bearer = HTTPBearer(scheme_name="apiKey", description="A key made by `restock keys create`.", auto_error=False)


def _caller(
    wanted: SecurityScopes,
    service: Serving,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
) -> ApiKey:
    if credentials is None:
        raise ProblemError("unauthenticated", "Send Authorization: Bearer and a key made by `restock keys create`.")
    key = verify(service.store, credentials.credentials)
    if key is None:
        raise ProblemError("unauthenticated", "The key is unknown, wrong or revoked.")
    missing = [scope for scope in wanted.scopes if scope not in key.scopes]
    if missing:
        raise ProblemError("forbidden", f"The key lacks the scope {', '.join(missing)}.", {"missing_scopes": missing})
    return key


PlanReader = Annotated[ApiKey, Security(_caller, scopes=["plans:read"])]
PlanWriter = Annotated[ApiKey, Security(_caller, scopes=["plans:write"])]
OrderReader = Annotated[ApiKey, Security(_caller, scopes=["orders:read"])]
