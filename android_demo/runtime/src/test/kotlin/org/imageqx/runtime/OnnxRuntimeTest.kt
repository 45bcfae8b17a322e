package org.imageqx.runtime

class OnnxRuntimeTest : GoldenContract(OnnxRuntime(threads = 1))
