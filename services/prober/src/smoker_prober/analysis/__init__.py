"""Thinking about results: pure functions and values, without sockets, clocks or gevent."""
