"""Configuration: the TOML schema, loading with every fault named at once, and credentials.

Frozen structs and their loader live here; nothing in this room starts anything.
"""
