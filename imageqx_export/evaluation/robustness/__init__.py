"""Ask a model about each kind of degradation alone, mild and strong."""
