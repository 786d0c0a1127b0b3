"""The three echo servers: no settings, no log, no main. Each is told of what it did through an observer."""
