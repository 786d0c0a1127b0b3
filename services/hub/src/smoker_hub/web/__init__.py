"""The HTTP interface of the hub: the API under /api/v1 and the page at /."""
