"""Asks all probers of a mesh for their states, and judges them together: `once --mesh`. Or asks the hub: `once --hub`.

ask: the state of each prober ─▶ judge: findings, failing paths, what is missing ─▶ table: lines or JSON
                     with `--wait` again ◀─ lasting: whether a fault is certain yet
hub: its verdict ─▶ lines or JSON
"""
