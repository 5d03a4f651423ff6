"""Migration scripts, run by `api.store.migration`."""
