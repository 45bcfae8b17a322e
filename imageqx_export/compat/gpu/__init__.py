"""Phones' GPUs: LiteRT's WebGPU accelerator, on a software Vulkan."""
