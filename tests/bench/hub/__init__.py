"""`make bench-hub`: what a look at many simulated probers costs the hub."""
