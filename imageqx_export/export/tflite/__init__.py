"""TFLite: the exporter, its flatbuffer passes, and how a graph of integers begins."""
