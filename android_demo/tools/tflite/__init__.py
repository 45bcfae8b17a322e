"""TensorFlow Lite's library for Android on an ordinary Linux, for tests: its code untouched, on one thread.

``elf.py`` edits the names that the library imports; ``bionic_shim.c`` supplies what only Android's C library has.
"""
