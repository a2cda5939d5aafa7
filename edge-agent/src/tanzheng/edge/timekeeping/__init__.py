"""The grid, a time scale that never steps, and what stands behind the wall clock."""
