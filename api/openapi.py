"""The committed OpenAPI document: ``python -m api.openapi`` writes it anew, a test holds it to the service."""

from __future__ import annotations

import json
from pathlib import Path

from api.app import openapi_document

COMMITTED = Path(__file__).parent / "openapi.json"


def openapi_text() -> str:
    """Return the document as the file holds it."""
    return json.dumps(openapi_document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    COMMITTED.write_text(openapi_text(), encoding="utf-8")
