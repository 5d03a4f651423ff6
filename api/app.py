"""The HTTP service: handlers over the store. No forecaster, solver or tracker is ever loaded here."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import problems
from api.limits import BodyLimit
from api.routes import health, order_now, plans, tables
from api.service import Service

API_VERSION = "1.0.0"
"""The version of the interface, not of restock: it changes with ``api/openapi.json``."""


def create_app(service: Service) -> FastAPI:
    """Return the application; all its paths but ``/openapi.json`` begin with ``/v1``."""
    app = _routed()
    app.state.service = service
    return app


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI document of the service, as it is served and as ``api/openapi.json`` keeps it."""
    return _routed().openapi()


def _routed() -> FastAPI:
    app = FastAPI(
        title="restock",
        version=API_VERSION,
        description="Ask for plans, read their tables, and ask what to order now. See docs/api.md.",
        # The pages would load their scripts from elsewhere; the document itself is served.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    problems.install(app)
    app.add_middleware(BodyLimit)
    for router in (health.router, plans.router, order_now.router, tables.router):
        app.include_router(router, prefix="/v1")

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            problems.describe(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way
    return app
