"""The ways in: command line, HTTP service, store and worker."""
