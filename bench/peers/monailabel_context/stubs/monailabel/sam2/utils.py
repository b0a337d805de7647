def is_sam2_module_available():
    return True
