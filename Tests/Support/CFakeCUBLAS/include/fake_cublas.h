// A library `libcublasLt.so.12` for trainers that compare their products with it, which find it by LD_LIBRARY_PATH. It computes nothing.
#pragma once
