"""The tests: a package by name, so that none of the same name elsewhere is taken for it."""
