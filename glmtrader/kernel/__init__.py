"""Process services: clock, ids, bus, supervision, journal and the simulated event loop."""
