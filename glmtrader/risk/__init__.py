"""The veto: pure rules and portfolio arithmetic, and the service that applies and broadcasts.

Nothing reaches a venue without an `Approved` order, and only this room makes one.
"""
