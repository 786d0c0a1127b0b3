"""Notification: each finding to whom it concerns, when it opens and when it closes."""
