"""From what all probers know to findings: pure functions and values, without sockets, clocks or gevent."""
