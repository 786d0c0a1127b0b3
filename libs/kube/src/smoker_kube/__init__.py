"""A client of the Kubernetes API for pods: requests, list and watch, EndpointSlices."""
