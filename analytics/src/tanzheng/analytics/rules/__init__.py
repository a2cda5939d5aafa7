"""Validation rules: declarative data, a small safe expression language, and the evaluator."""
