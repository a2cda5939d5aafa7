"""Cement clinker, aluminium electrolysis, steel, and Part 75: formulas over a month's figures."""
