"""What the kernel knows of a socket: the only place with raw constants. "No sample" is None, never 0.

None of it needs a privilege. Where a kernel gives nothing the functions say so, and the clock stands in.
"""
