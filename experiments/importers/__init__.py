"""Public data sets as contract tables, one module a source, found by name in `registry`."""
