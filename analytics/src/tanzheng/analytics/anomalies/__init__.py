"""Anomalies with a cause: robust residuals, the parameter graph that blames an input, leads."""
