"""Execution: approved intents become legs and orders, and their lives are owned here.

Pure state machines and reconciliation at the core; the gateway is the only caller of a venue's
order methods.
"""
