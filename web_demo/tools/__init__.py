"""Build and serve web_demo, and write what its tests compare with."""
