"""What a stranger installs: checks a receipt and recomputes its figures, off line."""
