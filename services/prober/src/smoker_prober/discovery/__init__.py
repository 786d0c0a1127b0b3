"""Which targets there are."""
