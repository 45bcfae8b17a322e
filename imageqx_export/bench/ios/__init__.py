"""Attached iPhones, over Xcode."""
