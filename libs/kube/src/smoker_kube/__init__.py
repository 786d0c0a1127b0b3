"""The Kubernetes API as a pod reads it: requests, list and watch, EndpointSlices."""
