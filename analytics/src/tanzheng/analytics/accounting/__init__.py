"""Accounting standards: packs of data, decimal rounding, and formulas that return result trees."""
