"""The HTTP side: what a run knows, served read-only as JSON and as one plain page.

It reads the bus through `views`, answers through the pure functions of `queries`, `health`,
`hedge` and `holdings`, and holds no state of trading.
"""
