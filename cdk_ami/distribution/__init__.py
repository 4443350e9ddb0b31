"""Where a golden image goes, and the pointers that lead to it."""
