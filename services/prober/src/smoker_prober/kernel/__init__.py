"""What the kernel knows of a socket: the only place with raw constants. "No sample" is None, never 0.

Nothing here needs a privilege. Where a kernel lacks a feature the functions say so, and callers use the clock.
"""
