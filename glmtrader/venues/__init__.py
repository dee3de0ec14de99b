"""Venues: the port that the core sees, and one folder or module for each venue behind it.

Adapters turn a venue's wire into events and approved orders into its requests. They own their
tasks and connections; nothing here decides anything.
"""
