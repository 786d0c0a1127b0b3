"""Bandwidth: a bounded transfer between two probers. docs/design/0018-bandwidth.md has the decisions."""
