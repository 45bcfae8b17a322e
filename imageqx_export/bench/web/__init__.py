"""Files in a browser: web_demo's page measures them in a headless Chromium."""
