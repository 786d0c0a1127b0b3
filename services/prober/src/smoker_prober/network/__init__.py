"""The time and the addresses of a probe."""
