"""One module a revision of the store."""
