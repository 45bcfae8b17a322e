"""Attached Android phones, over adb."""
