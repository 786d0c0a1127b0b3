"""What the hub shows: the API under /api/v1 and the page at /."""
