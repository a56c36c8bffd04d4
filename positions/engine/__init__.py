"""The position engine: transactions in booking order in, holdings, lots, disposals and exceptions out.

Values and functions only; no clock, no storage, no framework. `book` is the way in.
"""
