// swift-tools-version: 6.1
import PackageDescription

/// The LLVM that code generation links against; `make LLVM=19` chooses another one.
let llvmVersion = Context.environment["WAMIM_LLVM_VERSION"] ?? "14"

let package = Package(
  name: "wamimc",
  products: [
    .executable(name: "wamimc", targets: ["wamimc"]),
    .library(name: "WaMIM", targets: ["WaMIM"]),
    .library(name: "WaMIMGraph", targets: ["WaMIMGraph"]),
    .library(name: "WaMIMLayers", targets: ["WaMIMLayers"]),
    .library(name: "WaMIMTraining", targets: ["WaMIMTraining"]),
    .library(name: "WaMIMLanguage", targets: ["WaMIMLanguage"]),
    .library(name: "WaMIMRuntime", type: .static, targets: ["WaMIMRuntime"]),
    // For tests alone.
    .library(name: "FakeCUDA", type: .dynamic, targets: ["CFakeCUDA"]),
    .library(name: "FakeCUBLAS", type: .dynamic, targets: ["CFakeCUBLAS"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.3.0"),
  ],
  targets: [
    // The compiler, each layer depending on those below it.
    .executableTarget(
      name: "wamimc",
      dependencies: [
        "WaMIM", "WaMIMLanguage", "WaMIMCompiler", "WaMIMCUDA", "WaMIMLLVM",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
    .target(
      name: "WaMIM",
      dependencies: [
        "WaMIMTraining", "WaMIMLayers", "WaMIMGraph", "WaMIMLanguage", "WaMIMCompiler", "WaMIMCUDA", "WaMIMLLVM",
      ]),
    .target(
      name: "WaMIMLLVM", dependencies: ["WaMIMCompiler", "WaMIMGraph", "WaMIMManifest", "CLLVM"],
      linkerSettings: [.linkedLibrary("LLVM-\(llvmVersion)")]),
    .target(name: "WaMIMCUDA", dependencies: ["WaMIMCompiler", "WaMIMGraph", "WaMIMManifest", "WaMIMTypes"]),
    .systemLibrary(name: "CLLVM", pkgConfig: "wamimc-llvm"),
    .target(
      name: "WaMIMLanguage", dependencies: ["WaMIMTraining", "WaMIMLayers", "WaMIMGraph", "WaMIMRecipe", "WaMIMTypes"]),
    .target(
      name: "WaMIMCompiler",
      dependencies: [
        "WaMIMTraining", "WaMIMGraph", "WaMIMManifest", .product(name: "BitCollections", package: "swift-collections"),
      ]),
    .target(name: "WaMIMInterpreter", dependencies: ["WaMIMGraph"]),
    // What is trained, and how: layers and losses, then optimisers, schedules, and models with their recipes.
    .target(name: "WaMIMTraining", dependencies: ["WaMIMLayers", "WaMIMGraph", "WaMIMRecipe"]),
    .target(name: "WaMIMLayers", dependencies: ["WaMIMGraph"]),
    .target(name: "WaMIMGraph", dependencies: ["WaMIMTypes"]),

    // What models and the programs made of them have in common.
    .target(name: "WaMIMRecipe", dependencies: ["WaMIMTypes"]),
    .target(name: "WaMIMTypes"),

    // What generated programs are made of besides their own code.
    .target(name: "WaMIMManifest", dependencies: ["WaMIMRecipe", "WaMIMTypes"], path: "codegen/manifest"),
    .target(name: "CProgram", path: "codegen/abi"),
    .target(
      name: "CImages", path: "codegen/images",
      linkerSettings: ["jpeg", "png", "webpdemux", "webp", "z"].map { .linkedLibrary($0) }),
    .target(name: "CPlatform", path: "codegen/platform"),
    .target(name: "CCUDA", path: "codegen/cuda"),
    // mpi.c is compiled with a site's MPI, by wamimc.
    .target(name: "CMessages", path: "codegen/messages", exclude: ["mpi.c"]),
    .systemLibrary(name: "CZlib", path: "codegen/zlib"),
    .target(
      name: "WaMIMRuntime",
      dependencies: [
        "WaMIMManifest", "WaMIMTypes", "CProgram", "CImages", "CPlatform", "CCUDA", "CMessages", "CZlib",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "codegen/runtime"),

    // Tests, and what they share.
    .target(
      name: "TestSupport", dependencies: ["WaMIMLayers", "WaMIMGraph", "WaMIMInterpreter", "WaMIMManifest"], path: "Tests/Support",
      exclude: ["CFakeProgram", "CFakeCUDA", "CFakeCUBLAS", "CPTXEmulator", "CAMXEmulator"]),
    // Kernels at random, and what they mean, for the tests of every backend.
    .target(
      name: "KernelSupport", dependencies: ["WaMIMCompiler", "WaMIMGraph", "WaMIMLayers", "TestSupport"],
      path: "Tests/KernelSupport"),
    // Programs as CUDA, run by the emulator or a driver, beside what they mean.
    .target(
      name: "CUDASupport",
      dependencies: [
        "WaMIMCUDA", "WaMIMCompiler", "WaMIMTraining", "WaMIMGraph", "WaMIMInterpreter", "WaMIMLanguage", "WaMIMManifest",
        "WaMIMTypes", "CPTXEmulator", "CCUDA", "KernelSupport", "TestSupport",
      ],
      path: "Tests/CUDASupport"),
    // That on a GPU, for make gpu-check.
    .executableTarget(
      name: "gpu-kernels", dependencies: ["CUDASupport", "WaMIMCUDA"], path: "Tests/GPU/Kernels"),
    // Runs AMX's instructions on other processors.
    .target(name: "CAMXEmulator", path: "Tests/Support/CAMXEmulator"),
    // Runs PTX without a GPU.
    .target(name: "CPTXEmulator", path: "Tests/Support/CPTXEmulator"),
    // A driver that does so, for programs that look for NVIDIA's.
    .target(name: "CFakeCUDA", dependencies: ["CPTXEmulator", "CCUDA"], path: "Tests/Support/CFakeCUDA"),
    // A library whose products those of trainers are compared with.
    .target(name: "CFakeCUBLAS", dependencies: ["CCUDA"], path: "Tests/Support/CFakeCUBLAS"),
    .testTarget(
      name: "WaMIMCUDATests",
      dependencies: [
        "WaMIMCUDA", "WaMIMCompiler", "WaMIMTraining", "WaMIMLayers", "WaMIMGraph", "WaMIMInterpreter", "WaMIMLanguage",
        "WaMIMManifest", "WaMIMTypes", "CCUDA", "CUDASupport", "KernelSupport", "TestSupport",
      ]),
    .testTarget(
      name: "WaMIMInterpreterTests",
      dependencies: ["WaMIMTraining", "WaMIMLayers", "WaMIMGraph", "WaMIMInterpreter", "TestSupport"]),
    .testTarget(
      name: "WaMIMCompilerTests",
      dependencies: [
        "WaMIMTraining", "WaMIMLayers", "WaMIMGraph", "WaMIMInterpreter", "WaMIMCompiler", "WaMIMManifest", "WaMIMTypes",
        "TestSupport",
      ]),
    .testTarget(name: "WaMIMGraphTests", dependencies: ["WaMIMLayers", "WaMIMGraph"]),
    .testTarget(name: "WaMIMTrainingTests", dependencies: ["WaMIMTraining", "WaMIMLayers", "WaMIMGraph", "WaMIMInterpreter"]),
    .testTarget(
      name: "WaMIMLanguageTests", dependencies: ["WaMIMLanguage", "WaMIMTraining", "WaMIMLayers", "WaMIMGraph", "TestSupport"]),
    // A program written by hand, which the runtime's tests run in place of a compiled one.
    .target(name: "CFakeProgram", dependencies: ["CProgram"], path: "Tests/Support/CFakeProgram"),
    .testTarget(
      name: "WaMIMLLVMTests",
      dependencies: [
        "WaMIMLLVM", "WaMIMCompiler", "WaMIMTraining", "WaMIMLayers", "WaMIMGraph", "WaMIMManifest", "CPlatform", "CAMXEmulator",
        "KernelSupport", "TestSupport",
      ],
      exclude: ["run_kernels.c"]),
    .testTarget(
      name: "WaMIMRuntimeTests", dependencies: ["WaMIMRuntime", "WaMIMManifest", "CProgram", "CFakeProgram", "TestSupport"],
      exclude: ["Fixtures"]),
    // The commands themselves, from a model's text to a trained model.
    .testTarget(
      name: "EndToEndTests",
      dependencies: [
        "wamimc", "WaMIM", "WaMIMLanguage", "WaMIMCompiler", "WaMIMCUDA", "WaMIMLLVM", "WaMIMInterpreter", "WaMIMGraph",
        "WaMIMLayers",
        "WaMIMTraining", "WaMIMRuntime", "TestSupport",
      ],
      exclude: ["Dumps"]),
  ],
  cxxLanguageStandard: .cxx17
)
