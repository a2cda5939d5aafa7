"""One real month rehearsed from register to receipt, faults and attacks included."""
