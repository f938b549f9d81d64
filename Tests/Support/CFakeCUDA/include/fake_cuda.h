// A driver `libcuda.so.1` whose GPUs are emulated: for programs that know nothing of it, which find it by LD_LIBRARY_PATH.
//
// Work waits until somebody waits for it, so that a wait that is missing shows: what a copy to this machine's memory will write holds
// other bytes until then, and what a copy from it will read must not change. Environment variables say what goes wrong:
//
//   FAKE_CUDA_VERSION      what `cuDriverGetVersion` tells (12040)
//   FAKE_CUDA_DEVICES      how many GPUs there are (1)
//   FAKE_CUDA_CAPABILITY   their compute capability (80)
//   FAKE_CUDA_MEMORY       bytes of memory of each (1 GiB)
//   FAKE_CUDA_TAKEN        bytes of it that another process has (0)
//   FAKE_CUDA_FULL_AT      the allocation, counted from 1, for which there is no memory although there seemed to be
//   FAKE_CUDA_FAIL_AT      the launch, counted from 1, that fails
//   FAKE_CUDA_LOSE_AT      the launch at which the GPU is lost: every call fails from then on
//   FAKE_CUDA_ORDER        the emulator's order of threads (0)
#pragma once
