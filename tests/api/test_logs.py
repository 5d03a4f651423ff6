"""What is logged: passwords in addresses are not, wherever they come from."""

from __future__ import annotations

import logging
import sys

from api.logs import Redacting


def test_a_traceback_is_logged_without_passwords() -> None:
    try:
        raise RuntimeError("cannot reach postgresql://erp:s3cret@db/x")
    except RuntimeError:
        error = sys.exc_info()
    record = logging.LogRecord("api", logging.ERROR, "here", 1, "%s failed", ("mysql://a:s3cret@b/c",), error)
    line = Redacting("%(levelname)s %(message)s").format(record)
    assert line.startswith("ERROR mysql://a:***@b/c failed\nTraceback")
    assert line.endswith("RuntimeError: cannot reach postgresql://erp:***@db/x")
