"""The history of the hub: findings, events, changes of path states and roll-ups, in one bounded SQLite file."""
