"""Hours, monthly parameters, accounting standards, rules, evidence packages."""
