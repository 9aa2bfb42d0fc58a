"""TensorRT 10.3 to 11, and TensorRT for RTX: built from ONNX, proven against ONNX Runtime, then trusted.

::

    limits        what the machine allows: profiles and environment          (standard library)
    plan_files    keys, plan files and what is beside them                    (standard library)
    seam          what is needed of a runtime and a device, as Protocols      (numpy)
    session       buffers, bindings and CUDA graphs of one plan               (numpy, above the seam)
    engine        the Engine of parakeet_asr.core                             (numpy, above the seam)
    flavour       which TensorRT is here
    building      ONNX -> plan                                                (tensorrt)
    runtime       plan -> execution context                                   (tensorrt)
    cuda_device   memory, streams, graphs                                     (cuda-python)
    opening       finds, builds, proves and opens what a model directory needs
"""
