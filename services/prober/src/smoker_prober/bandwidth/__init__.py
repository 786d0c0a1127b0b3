"""Bandwidth: a bounded transfer between two probers. docs/design/0021-bandwidth.md has the decisions."""
