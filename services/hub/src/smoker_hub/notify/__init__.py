"""Notification: sends each finding to receivers when it opens and when it closes.

Hub ─▶ Notifier (what each receiver has not got yet) ─▶ one bounded Delivery a receiver ─▶ POST

A new type of receiver is a file here and a line in `NOTIFIERS`.
"""
