"""What a prober remembers of each path, and how it says so to other programs."""
