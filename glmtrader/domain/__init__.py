"""Value objects of trading: what is traded, asked for, done and owed.

Only immutable values and pure functions on them enter here. The room imports nothing of ours but
`glmtrader.errors`, so every other room may build on it.
"""
