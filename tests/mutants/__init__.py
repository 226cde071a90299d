"""Promises broken on purpose, each in a copy of the tree, and the tests that must notice."""
