"""Computes findings from the states of all probers: pure functions and values, without sockets, clocks or gevent."""
