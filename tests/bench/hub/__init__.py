"""`make bench-hub`: measure what a look at many simulated probers costs the hub."""
