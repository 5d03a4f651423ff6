"""The handlers of the service, a module a resource."""
