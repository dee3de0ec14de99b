"""The machinery under everything: clock, ids, bus, journal, supervision, virtual time.

Only here may code touch time, sleep, randomness and tasks; every other room is handed them.
"""
