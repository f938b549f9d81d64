// What of LLVM's C API code generation uses.
#include <llvm-c/Analysis.h>
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#if __has_include(<llvm-c/Transforms/PassBuilder.h>)
#include <llvm-c/Transforms/PassBuilder.h>
#endif
